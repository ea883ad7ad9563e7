import * as fc from 'fast-check';
import { withCharge, withoutCharge, type BilledLease, type Charge } from './charge';
import type { Hold } from './hold';
import { coverNotes, noteCause, signedSplit, transfersOfNote, type Note } from './note';
import { NOTHING, chargeMicros, feeMicros } from './rate';
import { settle, type JobFacts } from './settlement';
import { effectsOf } from './transfer';

const PAYER = '00000000-0000-7000-8000-000000000001';
const WALLET = `org:${PAYER}:wallet`;
const NOW = new Date('2026-01-01T00:00:00Z');
const FEE_BPS = 500n;
const PRICE = 3_600_000n;

const aLease = (index: number): BilledLease => ({
  leaseId: String(index),
  jobId: 'job',
  payerId: PAYER,
  payeeId: `payee-${index}`,
  asset: 'USD',
  providerId: 'provider',
  nodeId: 'node',
  taskIndex: index,
  runNumber: 1,
  gpuModelId: 'rtx-4090',
  gpuMilli: 1_000,
  priceMicrosPerGpuHour: PRICE,
  emulated: true,
  started: true,
  ended: true,
  waivedReason: '',
  billableMs: 0n,
  chargedMs: 0n,
  charged: NOTHING,
  writtenOff: 0n,
  finalUsageIn: false,
});

/** The n-th version of the only window of a lease; the highest that has arrived counts. */
interface Version {
  readonly lease: number;
  readonly version: number;
}

/** A finished job whose leases have ended, so it settles with the first version of each lease, and all others come late. */
class World {
  hold: Hold;
  settled = false;
  readonly leases: BilledLease[];
  readonly arrived: Version[] = [];
  readonly consumed = new Set<string>();
  readonly charges = new Map<string, Charge>();
  readonly notes: Note[] = [];
  readonly accounts = new Map<string, { posted: bigint; held: bigint }>();

  constructor(
    private readonly versions: readonly (readonly bigint[])[],
    holdMicros: bigint,
    readonly spareMicros: bigint,
  ) {
    this.leases = versions.map((_, index) => aLease(index));
    const amounts = { amount: holdMicros, remaining: holdMicros };
    this.hold = {
      jobId: 'job',
      payerId: PAYER,
      asset: 'USD',
      ...amounts,
      feeBps: FEE_BPS,
      state: 'open',
      createTime: NOW,
    };
    this.accounts.set(WALLET, { posted: holdMicros + spareMicros, held: holdMicros });
  }

  add(fact: Version): void {
    const known = this.arrived.some(({ lease, version }) => lease === fact.lease && version === fact.version);
    if (known) return;
    this.arrived.push(fact);
    this.settle();
  }

  get charged(): bigint {
    return this.leases.reduce((sum, { charged }) => sum + charged.charge, 0n);
  }

  get writtenOff(): bigint {
    return this.leases.reduce((sum, { writtenOff }) => sum + writtenOff, 0n);
  }

  private facts(): JobFacts {
    for (const [index, lease] of this.leases.entries()) {
      const latest = Math.max(-1, ...this.arrived.filter((one) => one.lease === index).map(({ version }) => version));
      const billableMs = this.versions[index]?.[latest] ?? 0n;
      this.leases[index] = { ...lease, billableMs, finalUsageIn: latest >= 0 };
    }
    const windows = this.arrived.map(({ lease, version }) => ({
      usageId: `${lease}/${version}`,
      leaseId: String(lease),
      cumulativeMs: this.versions[lease]?.[version] ?? 0n,
    }));
    return {
      jobId: 'job',
      hold: this.hold,
      finished: true,
      startedLeaseIds: this.leases.map(({ leaseId }) => leaseId),
      settled: this.settled,
      leases: this.leases,
      waiting: windows.filter(({ usageId }) => !this.consumed.has(usageId)),
      overcharged: [...this.charges.values()],
    };
  }

  private settle(): void {
    const { transfers, charges, reversed, hold, notes: wanted, measured, settles } = settle(this.facts(), NOW);
    const { posted, held } = this.accounts.get(WALLET)!;
    const notes = coverNotes(wanted, posted - held);
    const noted = notes.flatMap((note) => transfersOfNote(this.leases[Number(note.leaseId)]!, note));
    for (const effect of [...transfers, ...noted].flatMap(effectsOf)) {
      const before = this.accounts.get(effect.account.code) ?? { posted: 0n, held: 0n };
      this.accounts.set(effect.account.code, {
        posted: before.posted + effect.posted,
        held: before.held + effect.held,
      });
    }
    for (const charge of reversed) {
      this.charges.delete(charge.usageId);
      this.update(charge.leaseId, (lease) => withoutCharge(lease, charge));
    }
    for (const charge of charges) {
      this.consumed.add(charge.usageId);
      if (!this.settled) this.charges.set(charge.usageId, charge);
      this.update(charge.leaseId, (lease) => withCharge(lease, charge));
    }
    for (const leaseId of measured) this.update(leaseId, (lease) => ({ ...lease, chargedMs: lease.billableMs }));
    for (const note of notes) this.take(note);
    this.hold = hold!;
    this.settled ||= settles;
    this.expectSound();
  }

  private take(note: Note): void {
    this.notes.push(note);
    const { charge, fee, provider } = signedSplit(note);
    this.update(note.leaseId, ({ charged, writtenOff, ...lease }) => ({
      ...lease,
      charged: { charge: charged.charge + charge, fee: charged.fee + fee, provider: charged.provider + provider },
      writtenOff: writtenOff + note.writtenOff,
    }));
  }

  private update(leaseId: string, change: (lease: BilledLease) => BilledLease): void {
    this.leases[Number(leaseId)] = change(this.leases[Number(leaseId)]!);
  }

  /** What holds after every fact; one comparison, since it is made thousands of times. */
  private expectSound(): void {
    const accounts = [...this.accounts.values()];
    const payableOf = (lease: BilledLease): bigint => this.accounts.get(`org:${lease.payeeId}:payable`)?.posted ?? 0n;
    const broken = {
      floor: accounts.filter(({ posted, held }) => posted < held || held < 0n),
      sum: accounts.reduce((sum, { posted }) => sum + posted, 0n) - this.hold.amount - this.spareMicros,
      quote: this.charged > this.hold.amount,
      fee: this.leases.filter(({ charged }) => charged.fee !== feeMicros(charged.charge, FEE_BPS)),
      provider: this.leases.filter((lease) => payableOf(lease) !== lease.charged.charge - lease.charged.fee),
      causes: this.notes.length - new Set(this.notes.map(noteCause)).size,
    };
    expect(broken).toEqual({ floor: [], sum: 0n, quote: false, fee: [], provider: [], causes: 0 });
  }
}

const aVersion = fc.bigInt({ min: 0n, max: 600_000n });
const aJob = fc.array(fc.array(aVersion, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 });
const aHistory = aJob.chain((versions) => {
  const all = versions.flatMap((of, lease) => of.map((_, version): Version => ({ lease, version })));
  const order = fc
    .tuple(fc.shuffledSubarray(all, { minLength: all.length }), fc.subarray(all))
    .map(([once, again]) => [...once, ...again]);
  return fc.record({ versions: fc.constant(versions), order });
});
const owedFor = (ms: bigint): bigint => chargeMicros({ priceMicrosPerGpuHour: PRICE, gpuMilli: 1_000 }, ms);
const owedBy = (versions: readonly (readonly bigint[])[]): bigint =>
  versions.reduce((sum, of) => sum + owedFor(of.at(-1)!), 0n);
const least = (left: bigint, right: bigint): bigint => (left < right ? left : right);

test('versions of windows before and after settlement, in any order, cost what the last ones alone would have', () => {
  fc.assert(
    fc.property(aHistory, fc.bigInt({ min: 0n, max: 2_000_000n }), ({ versions, order }, holdMicros) => {
      const world = new World(versions, holdMicros, 10_000_000n);
      for (const fact of order) world.add(fact);
      const lastFirst = new World(versions, holdMicros, 10_000_000n);
      for (const [lease, of] of versions.entries()) lastFirst.add({ lease, version: of.length - 1 });
      expect(world.settled).toBe(true);
      expect(world.charged).toBe(least(owedBy(versions), holdMicros));
      expect(world.charged).toBe(lastFirst.charged);
      expect(world.accounts.get(WALLET)).toEqual(lastFirst.accounts.get(WALLET));
      if (owedBy(versions) > holdMicros) return;
      for (const [index, of] of versions.entries()) {
        expect(world.leases[index]).toMatchObject({ chargedMs: of.at(-1), charged: lastFirst.leases[index]!.charged });
      }
    }),
    { numRuns: 200 },
  );
});

test('a wallet that cannot pay a debit note keeps what it has, and is never asked for that part again', () => {
  fc.assert(
    fc.property(
      aHistory,
      fc.bigInt({ min: 0n, max: 2_000_000n }),
      fc.bigInt({ min: 0n, max: 200_000n }),
      ({ versions, order }, holdMicros, spare) => {
        const world = new World(versions, holdMicros, spare);
        for (const fact of order) world.add(fact);
        const due = least(owedBy(versions), holdMicros);
        expect(world.charged <= due).toBe(true);
        expect(world.charged + world.writtenOff >= due).toBe(true);
        for (const { kind, charge, writtenOff } of world.notes) {
          expect(kind === 'credit' ? writtenOff === 0n : charge > 0n !== writtenOff > 0n).toBe(true);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('what was written off is not asked for when the wallet has money again, what comes on top is', () => {
  const leases = [{ ...aLease(0), billableMs: 100_000n, charged: { charge: 60_000n, fee: 3_000n, provider: 57_000n } }];
  const hold = { ...new World([], 200_000n, 0n).hold, state: 'released' as const, remaining: 0n };
  const facts = (lease: BilledLease): JobFacts => ({
    jobId: 'job',
    hold,
    finished: true,
    startedLeaseIds: ['0'],
    settled: true,
    leases: [lease],
    waiting: [{ usageId: 'u', leaseId: '0', cumulativeMs: lease.billableMs }],
    overcharged: [],
  });
  const [poor] = coverNotes(settle(facts(leases[0]!), NOW).notes, 39_999n);
  expect(poor).toMatchObject({ kind: 'debit', charge: 0n, writtenOff: 40_000n });
  const later = { ...leases[0]!, writtenOff: 40_000n, chargedMs: 100_000n };
  expect(settle(facts(later), NOW).notes).toEqual([]);
  expect(settle(facts({ ...later, billableMs: 110_000n }), NOW).notes).toMatchObject([
    { kind: 'debit', charge: 10_000n, billableMs: 10_000n },
  ]);
  expect(settle(facts({ ...later, billableMs: 50_000n }), NOW).notes).toMatchObject([
    { kind: 'credit', charge: 10_000n, fee: 500n, provider: 9_500n },
  ]);
  // Its end is not known, and so whether its run was at fault: nothing is asked for yet.
  expect(settle(facts({ ...later, ended: false, billableMs: 110_000n }), NOW)).toMatchObject({
    notes: [],
    charges: [],
  });
});
