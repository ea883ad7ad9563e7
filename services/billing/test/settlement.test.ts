import { randomUUID } from 'node:crypto';
import { ChargePosted, InvoiceIssued } from '@daya/proto/billing';
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
afterEach(async () => expect(await audit(ledger)).toEqual({}));

const statementOf = async (jobId: string) => (await ledger.queries.statement('system', jobId))!;
const eventsOf = (jobId: string): Promise<{ type: string; payload: Buffer; aggregate_version: string }[]> =>
  ledger.sources.system.query('SELECT type, payload, aggregate_version FROM outbox WHERE key = $1 ORDER BY position', [
    jobId,
  ]);

async function aFundedJob(micros = 3_600_000n): Promise<{ payerId: string; jobId: string }> {
  const payerId = randomUUID();
  await deposit(ledger, payerId, micros);
  const { jobId } = await hold(ledger, payerId, micros);
  return { payerId, jobId };
}

test('windows are charged as they come, the rest of the hold is released and the invoice is issued at the end', async () => {
  const { payerId, jobId } = await aFundedJob();
  const lease = aLease({ jobId, payerId });
  await started(ledger, lease);
  await used(ledger, aWindow(lease.leaseId, 0, 60_000n));
  expect(await statementOf(jobId)).toMatchObject({
    runs: [{ charge: 60_000n, fee: 3_000n, provider: 57_000n, billableMs: 60_000n }],
    settled: false,
  });
  await used(ledger, aWindow(lease.leaseId, 1, 90_000n, { final: true }));
  await ended(ledger, lease);
  await finished(ledger, jobId, payerId, [lease.leaseId]);

  const statement = await statementOf(jobId);
  expect(statement).toMatchObject({
    heldMicros: 3_600_000n,
    releasedMicros: 3_510_000n,
    settled: true,
    runs: [{ charge: 90_000n, waivedReason: '' }],
  });
  const balances = await balancesOf(ledger);
  expect(balances[`org:${payerId}:wallet USD`]).toBe('3510000/0');
  expect(balances[`org:${lease.payeeId}:payable USD`]).toBe('85500/0');
  const { rows: invoices } = await ledger.queries.invoices('system', jobId, { size: 10, after: undefined });
  expect(invoices).toMatchObject([
    { totalMicros: 90_000n, lines: [{ amountMicros: 90_000n, leaseId: lease.leaseId, what: 'compute' }] },
  ]);
  const events = await eventsOf(jobId);
  expect(events.map(({ type }) => type.split('.').at(-1))).toEqual([
    'HoldPlaced',
    'ChargePosted',
    'ChargePosted',
    'HoldReleased',
    'InvoiceIssued',
  ]);
  expect(events.map((event) => event.aggregate_version)).toEqual(['1', '2', '3', '4', '5']);
  expect(InvoiceIssued.decode(events[4]!.payload).invoice).toMatchObject({
    totalMicros: 90_000n,
    organisationId: payerId,
  });
});

test('a run that ends by fault gives back what it was charged, and the next run draws on the whole hold', async () => {
  const { payerId, jobId } = await aFundedJob(100_000n);
  const [first, second] = [aLease({ jobId, payerId }), aLease({ jobId, payerId, runNumber: 2 })];
  await started(ledger, first);
  await used(ledger, aWindow(first.leaseId, 0, 60_000n));
  await started(ledger, second);
  await used(ledger, aWindow(second.leaseId, 0, 60_000n));
  expect((await statementOf(jobId)).runs.map((run) => run.charge)).toEqual([60_000n, 0n]);
  await ended(ledger, first, 'provider');
  await used(ledger, aWindow(first.leaseId, 1, 70_000n, { final: true }));
  await used(ledger, aWindow(second.leaseId, 1, 99_000n, { final: true }));
  await ended(ledger, second);
  await finished(ledger, jobId, payerId, [first.leaseId, second.leaseId]);

  expect(await statementOf(jobId)).toMatchObject({
    settled: true,
    releasedMicros: 1_000n,
    runs: [{ charge: 0n, waivedReason: 'PROVIDER_FAULT', billableMs: 70_000n }, { charge: 99_000n }],
  });
  expect((await balancesOf(ledger))[`org:${first.payeeId}:payable USD`]).toBe('0/0');
  const charges = (await eventsOf(jobId))
    .filter(({ type }) => type === ChargePosted.$type)
    .map(({ payload }) => ChargePosted.decode(payload));
  expect(charges.filter((charge) => charge.leaseId === first.leaseId).map((charge) => charge.chargeMicros)).toEqual([
    60_000n,
    -60_000n,
  ]);
  const reversals: { original: string; kind: string }[] = await ledger.sources.system.query(
    `SELECT r.kind, o.kind AS original FROM ledger_transfer r JOIN ledger_transfer o ON o.id = r.original_id WHERE r.payer_id = $1`,
    [payerId],
  );
  expect(reversals).toEqual([
    { kind: 'reversal', original: 'post' },
    { kind: 'reversal', original: 'post' },
  ]);
});

test('a canary costs nothing and leaves no row in the ledger', async () => {
  const [payerId, jobId] = [randomUUID(), randomUUID()];
  const lease = aLease({ jobId, payerId, priceMicrosPerGpuHour: 0n });
  await started(ledger, lease);
  await used(ledger, aWindow(lease.leaseId, 0, 60_000n, { final: true }));
  await ended(ledger, lease);
  await finished(ledger, jobId, payerId, [lease.leaseId]);
  expect(await statementOf(jobId)).toMatchObject({
    settled: true,
    heldMicros: 0n,
    runs: [{ charge: 0n, billableMs: 60_000n }],
  });
  expect(await ledger.sources.system.query('SELECT 1 FROM ledger_transfer WHERE payer_id = $1', [payerId])).toEqual([]);
  expect((await ledger.queries.invoices('system', jobId, { size: 1, after: undefined })).rows).toEqual([]);
});

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

test('a correction takes back what is no longer billable, exactly', async () => {
  const { payerId, jobId } = await aFundedJob();
  const lease = aLease({ jobId, payerId, priceMicrosPerGpuHour: 3_333_333n });
  await started(ledger, lease);
  const records = [60_000n, 120_000n, 180_000n].map((ms, index) => aWindow(lease.leaseId, index, ms));
  for (const record of records) await used(ledger, record);
  // Metering learnt that the lease had ended at 100 s: it sends the second and third window again.
  const corrected = (index: number, final: boolean): RecordedUsage =>
    aWindow(lease.leaseId, index, 100_000n, {
      usageId: `${lease.leaseId}/${index}/2`,
      version: 2,
      billableMs: 0n,
      final,
    });
  await used(ledger, corrected(1, false));
  await used(ledger, corrected(2, true));
  await ended(ledger, lease);
  await finished(ledger, jobId, payerId, [lease.leaseId]);
  const charge = (3_333_333n * 100_000n) / 3_600_000n;
  const fee = (charge * 500n) / 10_000n;
  expect(await statementOf(jobId)).toMatchObject({
    settled: true,
    runs: [{ charge, fee, provider: charge - fee, billableMs: 100_000n }],
  });
  expect((await balancesOf(ledger))[`org:${lease.payeeId}:payable USD`]).toBe(`${charge - fee}/0`);
  const posted = (await eventsOf(jobId)).filter(({ type }) => type === ChargePosted.$type);
  expect(sum(posted.map(({ payload }) => ChargePosted.decode(payload).chargeMicros))).toBe(charge);
});

test('charges of many jobs at once share the fee account and two payers without losing or inventing a micro', async () => {
  const jobs = await Promise.all(Array.from({ length: 12 }, () => aFundedJob(600_000n)));
  await Promise.all(
    jobs.map(async ({ payerId, jobId }) => {
      const leases = [aLease({ jobId, payerId }), aLease({ jobId, payerId, taskIndex: 1 })];
      await Promise.all(
        leases.flatMap((lease) => [
          started(ledger, lease),
          used(ledger, aWindow(lease.leaseId, 0, 60_000n)),
          used(ledger, aWindow(lease.leaseId, 1, 100_001n, { final: true })),
          ended(ledger, lease),
        ]),
      );
      await finished(
        ledger,
        jobId,
        payerId,
        leases.map((lease) => lease.leaseId),
      );
    }),
  );
  for (const { jobId } of jobs)
    expect(await statementOf(jobId)).toMatchObject({ settled: true, releasedMicros: 600_000n - 200_002n });
  const lanes: { lanes: string }[] = await ledger.sources.system.query(
    `SELECT count(*) AS lanes FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id WHERE a.code = 'fee'`,
  );
  expect(Number(lanes[0]!.lanes)).toBeGreaterThan(1);
});
