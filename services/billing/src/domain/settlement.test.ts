import * as fc from 'fast-check';
import { withCharge, withoutCharge, type BilledLease, type Charge, type UsageWindow } from './charge';
import type { Hold } from './hold';
import { NOTHING, chargeMicros, splitAt } from './rate';
import { settle, type JobFacts } from './settlement';
import { effectsOf } from './transfer';

const PAYER = '00000000-0000-7000-8000-000000000001';
const NOW = new Date('2026-01-01T00:00:00Z');
const FEE_BPS = 500n;

const aLease: BilledLease = {
  leaseId: 'a',
  jobId: 'job',
  payerId: PAYER,
  payeeId: 'p',
  asset: 'USD',
  providerId: 'provider',
  nodeId: 'node',
  taskIndex: 0,
  runNumber: 1,
  gpuModelId: 'rtx-4090',
  gpuMilli: 1_000,
  priceMicrosPerGpuHour: 1_000_000n,
  emulated: true,
  started: true,
  ended: false,
  waivedReason: '',
  billableMs: 60_000n,
  chargedMs: 0n,
  charged: NOTHING,
  writtenOff: 0n,
  finalUsageIn: false,
};

interface Run {
  readonly price: bigint;
  readonly atFault: boolean;
  /** What metering's records say, one after the other; where it falls, a record corrects those before it. */
  readonly cumulativeMs: readonly bigint[];
}
type Fact =
  | { readonly is: 'window'; readonly run: number; readonly index: number }
  | { readonly is: 'ended' | 'started'; readonly run: number }
  | { readonly is: 'finished' };

/** A job as billing would store it: facts are added one at a time, and settled after each, as the service does. */
class World {
  hold: Hold;
  finished = false;
  settled = 0;
  readonly leases = new Map<number, BilledLease>();
  readonly arrived = new Set<string>();
  readonly windows: UsageWindow[] = [];
  readonly charges = new Map<string, Charge>();
  readonly reversed = new Set<string>();
  readonly accounts = new Map<string, { posted: bigint; held: bigint }>();

  constructor(
    private readonly runs: readonly Run[],
    holdMicros: bigint,
  ) {
    this.hold = {
      jobId: 'job',
      payerId: PAYER,
      asset: 'USD',
      amount: holdMicros,
      remaining: holdMicros,
      feeBps: FEE_BPS,
      state: 'open',
      createTime: NOW,
    };
  }

  add(fact: Fact): void {
    if (fact.is === 'finished') this.finished = true;
    else this.addOfRun(fact);
    this.settle();
  }

  private addOfRun(fact: Exclude<Fact, { is: 'finished' }>): void {
    const run = this.runs[fact.run]!;
    if (fact.is === 'window') {
      const usageId = `${fact.run}/${fact.index}`;
      if (this.arrived.has(usageId)) return;
      this.arrived.add(usageId);
      this.windows.push({ usageId, leaseId: String(fact.run), cumulativeMs: run.cumulativeMs[fact.index]! });
      return;
    }
    const known = this.leases.get(fact.run);
    const ended = fact.is === 'ended' || (known?.ended ?? false);
    this.leases.set(fact.run, {
      ...aLease,
      leaseId: String(fact.run),
      payeeId: `payee-${fact.run}`,
      priceMicrosPerGpuHour: run.price,
      ended,
      waivedReason: ended && run.atFault ? 'PROVIDER_FAULT' : '',
      chargedMs: known?.chargedMs ?? 0n,
      charged: known?.charged ?? NOTHING,
    });
  }

  private facts(): JobFacts {
    const leases = [...this.leases.entries()].map(([run, lease]) => {
      const records = this.runs[run]!.cumulativeMs;
      const latest = records.findLastIndex((_, index) => this.arrived.has(`${run}/${index}`));
      return { ...lease, billableMs: records[latest] ?? 0n, finalUsageIn: latest === records.length - 1 };
    });
    const known = new Map(leases.map((lease) => [lease.leaseId, lease]));
    return {
      jobId: 'job',
      hold: this.hold,
      finished: this.finished,
      startedLeaseIds: this.runs.map((_, run) => String(run)),
      settled: this.settled > 0,
      leases,
      waiting: this.windows.filter(({ usageId, leaseId }) => known.has(leaseId) && !this.charges.has(usageId)),
      overcharged: [...this.charges.values()].filter(({ usageId }) => !this.reversed.has(usageId)),
    };
  }

  private settle(): void {
    const { transfers, charges, reversed, hold, settles } = settle(this.facts(), NOW);
    for (const { account, posted, held } of transfers.flatMap(effectsOf)) {
      const before = this.accounts.get(account.code) ?? {
        posted: 0n,
        held: account.kind === 'wallet' ? this.hold.amount : 0n,
      };
      this.accounts.set(account.code, { posted: before.posted + posted, held: before.held + held });
    }
    for (const charge of reversed) {
      this.reversed.add(charge.usageId);
      const run = Number(charge.leaseId);
      this.leases.set(run, withoutCharge(this.leases.get(run)!, charge));
    }
    for (const charge of charges) {
      this.charges.set(charge.usageId, charge);
      const lease = this.leases.get(Number(charge.leaseId))!;
      this.leases.set(Number(charge.leaseId), withCharge(lease, charge));
    }
    this.hold = hold!;
    if (settles) this.settled += 1;
    expect(this.hold.remaining >= 0n).toBe(true);
  }
}

const aRun = fc.record({
  price: fc.bigInt({ min: 0n, max: 10_000_000n }),
  atFault: fc.boolean(),
  cumulativeMs: fc.array(fc.bigInt({ min: 0n, max: 600_000n }), { minLength: 1, maxLength: 6 }),
});
const factsOf = (runs: readonly Run[]): Fact[] => [
  { is: 'finished' },
  ...runs.flatMap((run, index): Fact[] => [
    { is: 'started', run: index },
    { is: 'ended', run: index },
    ...run.cumulativeMs.map((_, window): Fact => ({ is: 'window', run: index, index: window })),
  ]),
];
const lastMs = (run: Run): bigint => run.cumulativeMs.at(-1)!;
const quoteFor = (runs: readonly Run[]): bigint =>
  runs
    .filter((run) => !run.atFault)
    .reduce((sum, run) => sum + chargeMicros({ priceMicrosPerGpuHour: run.price, gpuMilli: 1_000 }, lastMs(run)), 0n);

const aHistory = fc.array(aRun, { minLength: 1, maxLength: 4 }).chain((runs) => {
  const facts = factsOf(runs);
  return fc.record({
    runs: fc.constant(runs),
    order: fc
      .tuple(fc.shuffledSubarray(facts, { minLength: facts.length }), fc.subarray(facts))
      .map(([all, again]) => [...all, ...again]),
  });
});

test('any order and repetition of the same facts ends in the same charges, and each job settles exactly once', () => {
  fc.assert(
    fc.property(aHistory, fc.bigInt({ min: 0n, max: 1_000n }), ({ runs, order }, spare) => {
      const world = new World(runs, quoteFor(runs) + spare);
      for (const fact of order) world.add(fact);
      expect(world.settled).toBe(1);
      for (const [index, run] of runs.entries()) {
        const due = run.atFault
          ? splitAt({ priceMicrosPerGpuHour: 0n, gpuMilli: 1, feeBps: 0n }, 0n)
          : splitAt({ priceMicrosPerGpuHour: run.price, gpuMilli: 1_000, feeBps: FEE_BPS }, lastMs(run));
        expect(world.accounts.get(`org:payee-${index}:payable`)?.posted ?? 0n).toBe(due.provider);
      }
      const wallet = world.accounts.get(`org:${PAYER}:wallet`);
      expect(-(wallet?.posted ?? 0n)).toBe(quoteFor(runs));
      if (wallet) expect(wallet.held).toBe(0n);
      expect([...world.accounts.values()].reduce((sum, { posted }) => sum + posted, 0n)).toBe(0n);
      expect(world.hold).toMatchObject({ state: 'released', remaining: 0n });
    }),
    { numRuns: 300 },
  );
});

test('a charge never takes more than the hold, however little that is', () => {
  fc.assert(
    fc.property(aHistory, fc.bigInt({ min: 0n, max: 500_000n }), ({ runs, order }, holdMicros) => {
      const world = new World(runs, holdMicros);
      for (const fact of order) world.add(fact);
      const due = quoteFor(runs);
      expect(-(world.accounts.get(`org:${PAYER}:wallet`)?.posted ?? 0n)).toBe(due < holdMicros ? due : holdMicros);
      expect(world.settled).toBe(1);
    }),
    { numRuns: 200 },
  );
});

test('a job does not settle while anything of a started lease is missing', () => {
  const runs: Run[] = [{ price: 1_000_000n, atFault: false, cumulativeMs: [1_000n, 2_000n] }];
  for (const missing of [0, 1, 2, 4]) {
    const world = new World(runs, 10_000n);
    for (const fact of factsOf(runs).filter((_, index) => index !== missing)) world.add(fact);
    // Fact 1 is `started`, which the lease's end implies; fact 3 is the first window, which the second one covers.
    expect(world.settled).toBe(missing === 1 ? 1 : 0);
  }
});

test('a priced window without a hold waits, a free one does not', () => {
  const facts: JobFacts = {
    jobId: 'job',
    hold: undefined,
    finished: false,
    startedLeaseIds: [],
    settled: false,
    leases: [aLease],
    waiting: [{ usageId: 'u', leaseId: 'a', cumulativeMs: 60_000n }],
    overcharged: [],
  };
  expect(settle(facts, NOW)).toMatchObject({ charges: [], transfers: [] });
  const free = settle({ ...facts, leases: [{ ...aLease, priceMicrosPerGpuHour: 0n }] }, NOW);
  expect(free).toMatchObject({ charges: [{ outcome: 'free', charge: 0n }], transfers: [] });
  const neverRan = settle(
    { ...facts, leases: [{ ...aLease, started: false, ended: true, waivedReason: 'NEVER_STARTED' }] },
    NOW,
  );
  expect(neverRan).toMatchObject({ charges: [{ outcome: 'fault', charge: 0n }], transfers: [] });
});
