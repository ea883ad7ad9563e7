import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import type { Fault, LeaseTerms } from '../src/domain/charge';
import type { RecordedUsage } from '../src/application/ports';
import {
  aLease,
  aWindow,
  audit,
  balancesOf,
  deposit,
  ended,
  finished,
  hold,
  openLedger,
  started,
  used,
  type Ledger,
} from './harness';

let ledger: Ledger;
beforeAll(async () => void (ledger = await openLedger()));
afterAll(() => ledger.close());

interface Run {
  readonly price: bigint;
  readonly fault: Fault;
  readonly windowsMs: readonly bigint[];
  /** The last window is corrected to this much; undefined: it stands. */
  readonly correctedMs: bigint | undefined;
}
type Fact = (job: { jobId: string; payerId: string; leases: readonly LeaseTerms[] }) => Promise<void>;

const aRun = fc.record<Run>({
  price: fc.bigInt({ min: 1n, max: 50_000_000n }),
  fault: fc.constantFrom('none', 'customer', 'provider', 'platform'),
  windowsMs: fc.array(fc.bigInt({ min: 0n, max: 60_000n }), { minLength: 1, maxLength: 3 }),
  correctedMs: fc.option(fc.bigInt({ min: 0n, max: 60_000n }), { nil: undefined }),
});

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

function recordsOf(leaseId: string, { windowsMs, correctedMs }: Run): RecordedUsage[] {
  const last = windowsMs.length - 1;
  const records = windowsMs.map((billableMs, index) => {
    const final = index === last && correctedMs === undefined;
    return aWindow(leaseId, index, sum(windowsMs.slice(0, index + 1)), { billableMs, final });
  });
  if (correctedMs === undefined) return records;
  const cumulativeMs = sum(windowsMs.slice(0, last)) + correctedMs;
  const correction = { usageId: `${leaseId}/corrected`, version: 2, billableMs: correctedMs, final: true };
  return [...records, aWindow(leaseId, last, cumulativeMs, correction)];
}

function factsOf(runs: readonly Run[]): Fact[] {
  const facts: Fact[] = [
    ({ jobId, payerId, leases }) =>
      finished(
        ledger,
        jobId,
        payerId,
        leases.map((lease) => lease.leaseId),
      ),
  ];
  for (const [index, run] of runs.entries()) {
    facts.push(
      ({ leases }) => started(ledger, leases[index]!),
      ({ leases }) => ended(ledger, leases[index]!, run.fault),
      ...recordsOf('', run).map(
        (_, record): Fact =>
          ({ leases }) =>
            used(ledger, recordsOf(leases[index]!.leaseId, run)[record]!),
      ),
    );
  }
  return facts;
}

/** The least that covers every run that is charged, so that a run at fault can use up what another needs. */
function quoteOf(runs: readonly Run[]): bigint {
  const charged = runs.filter(({ fault }) => fault === 'none' || fault === 'customer');
  return 1n + sum(charged.map((run) => (run.price * (recordsOf('', run).at(-1)?.cumulativeMs ?? 0n)) / 3_600_000n));
}

async function replay(runs: readonly Run[], facts: readonly Fact[], parallel: boolean) {
  const [payerId, micros] = [randomUUID(), quoteOf(runs)];
  await deposit(ledger, payerId, micros);
  const { jobId } = await hold(ledger, payerId, micros);
  const leases = runs.map((run, index) =>
    aLease({ jobId, payerId, taskIndex: index, priceMicrosPerGpuHour: run.price }),
  );
  if (parallel) await Promise.all(facts.map((fact) => fact({ jobId, payerId, leases })));
  else for (const fact of facts) await fact({ jobId, payerId, leases });
  const balances = await balancesOf(ledger);
  const statement = (await ledger.queries.statement('system', jobId))!;
  const { rows: invoices } = await ledger.queries.invoices('system', jobId, { size: 9, after: undefined });
  return {
    wallet: balances[`org:${payerId}:wallet USD`],
    payables: leases.map((lease) => balances[`org:${lease.payeeId}:payable USD`] ?? '0/0'),
    settled: statement.settled,
    runs: statement.runs.map(({ charge, fee, provider, billableMs, waivedReason }) => ({
      charge,
      fee,
      provider,
      billableMs,
      waivedReason,
    })),
    invoices: invoices.map(({ totalMicros, lines }) => ({
      totalMicros,
      lines: lines.map((line) => [line.taskIndex, line.billableMs, line.amountMicros]),
    })),
  };
}

test('any order, repetition and concurrency of the same facts gives the same ledger', async () => {
  const aCase = fc.array(aRun, { minLength: 1, maxLength: 3 }).chain((runs) => {
    const indices = factsOf(runs).map((_, index) => index);
    const anOrder = fc
      .tuple(fc.shuffledSubarray(indices, { minLength: indices.length }), fc.subarray(indices))
      .map(([all, again]) => [...all, ...again]);
    return fc.record({ runs: fc.constant(runs), order: anOrder, parallel: fc.boolean() });
  });
  await fc.assert(
    fc.asyncProperty(aCase, async ({ runs, order, parallel }) => {
      const facts = factsOf(runs);
      const inOrder = await replay(runs, [...facts.slice(1), facts[0]!], false);
      const shuffled = await replay(
        runs,
        order.map((index) => facts[index]!),
        parallel,
      );
      expect(shuffled).toEqual(inOrder);
      expect(inOrder.settled).toBe(true);
      expect(inOrder.invoices).toHaveLength(1);
      expect(await audit(ledger)).toEqual({});
    }),
    { numRuns: 15 },
  );
}, 120_000);
