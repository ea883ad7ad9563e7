import { randomUUID } from 'node:crypto';
import { ChargePosted, NoteIssued } from '@daya/proto/billing';
import * as fc from 'fast-check';
import type { RecordedUsage } from '../src/application/ports';
import type { LeaseTerms } from '../src/domain/charge';
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

interface Job {
  readonly payerId: string;
  readonly jobId: string;
  readonly lease: LeaseTerms;
}

/** The only window of a lease, in one of its versions. A micro a millisecond. */
const version = (leaseId: string, number: number, ms: bigint): RecordedUsage =>
  aWindow(leaseId, 0, ms, { usageId: `${leaseId}/0/${number}`, version: number, billableMs: ms, final: true });

/** A settled job of `ms`, whose hold was `heldMicros` of a wallet with `micros`. */
async function aSettledJob(ms: bigint, micros: bigint, heldMicros = micros): Promise<Job> {
  const payerId = randomUUID();
  await deposit(ledger, payerId, micros);
  const { jobId } = await hold(ledger, payerId, heldMicros);
  const lease = aLease({ jobId, payerId });
  await started(ledger, lease);
  await ended(ledger, lease);
  await used(ledger, version(lease.leaseId, 1, ms));
  await finished(ledger, jobId, payerId, [lease.leaseId]);
  return { payerId, jobId, lease };
}

const statementOf = async (jobId: string) => (await ledger.queries.statement('system', jobId))!;
const invoiceOf = async (jobId: string) =>
  (await ledger.queries.invoices('system', jobId, { size: 2, after: undefined })).rows[0]!;
const balances = async ({ payerId, lease }: Job): Promise<(string | undefined)[]> => {
  const all = await balancesOf(ledger);
  return [all[`org:${payerId}:wallet USD`], all[`org:${lease.payeeId}:payable USD`]];
};
async function eventsOf<T>(jobId: string, type: { $type: string; decode(bytes: Uint8Array): T }): Promise<T[]> {
  const rows: { payload: Buffer }[] = await ledger.sources.system.query(
    'SELECT payload FROM outbox WHERE key = $1 AND type = $2 ORDER BY position',
    [jobId, type.$type],
  );
  return rows.map(({ payload }) => type.decode(payload));
}

test('a correction downwards of a settled job is a credit note: both parts come back to the wallet, the invoice stays', async () => {
  const job = await aSettledJob(60_000n, 3_600_000n);
  expect(await balances(job)).toEqual(['3540000/0', '57000/0']);
  await used(ledger, version(job.lease.leaseId, 2, 40_000n));
  expect(await balances(job)).toEqual(['3560000/0', '38000/0']);
  const credit = { kind: 'credit', amountMicros: 20_000n, writtenOffMicros: 0n, billableMs: -20_000n };
  const invoice = await invoiceOf(job.jobId);
  expect(invoice).toMatchObject({ totalMicros: 60_000n, lines: [{ amountMicros: 60_000n }], notes: [credit] });
  expect(await statementOf(job.jobId)).toMatchObject({
    heldMicros: 3_600_000n,
    releasedMicros: 3_540_000n,
    runs: [{ charge: 40_000n, fee: 2_000n, provider: 38_000n, billableMs: 40_000n }],
    notes: [credit],
  });
  const [note] = invoice.notes;
  expect(note).toMatchObject({ invoiceId: invoice.invoiceId, leaseId: job.lease.leaseId });
  const charges = await eventsOf(job.jobId, ChargePosted);
  expect(charges.at(-1)).toMatchObject({
    chargeId: note!.noteId,
    usageId: `${job.lease.leaseId}/0/2`,
    chargeMicros: -20_000n,
    feeMicros: -1_000n,
    providerMicros: -19_000n,
    billableMs: -20_000n,
  });
  expect(await eventsOf(job.jobId, NoteIssued)).toMatchObject([
    { note: { noteId: note!.noteId, amountMicros: 20_000n } },
  ]);
  const payee = { organisationId: job.lease.payeeId };
  const { rows } = await ledger.queries.transfers(payee, { size: 1, after: undefined });
  expect(rows).toMatchObject([{ kind: 'credit_note', amount: 19_000n, pendingId: '' }]);
});

test('more time is a debit note, at most up to what the customer agreed to; records that come again change nothing', async () => {
  const job = await aSettledJob(60_000n, 500_000n, 100_000n);
  await used(ledger, version(job.lease.leaseId, 3, 90_000n));
  expect(await balances(job)).toEqual(['410000/0', '85500/0']);
  await used(ledger, version(job.lease.leaseId, 4, 250_000n));
  const atTheQuote = ['400000/0', '95000/0'];
  expect(await balances(job)).toEqual(atTheQuote);
  for (const [number, ms] of [
    [4, 250_000n],
    [3, 90_000n],
    [1, 60_000n],
    [2, 10n],
  ] as const)
    await used(ledger, version(job.lease.leaseId, number, ms));
  expect(await balances(job)).toEqual(atTheQuote);
  expect((await invoiceOf(job.jobId)).notes).toMatchObject([
    { kind: 'debit', amountMicros: 30_000n },
    { kind: 'debit', amountMicros: 10_000n },
  ]);
  const statement = await statementOf(job.jobId);
  expect(statement).toMatchObject({ releasedMicros: 40_000n, runs: [{ charge: 100_000n }] });
});

test('a debit that the wallet cannot pay is written off, also when money comes later', async () => {
  const job = await aSettledJob(60_000n, 100_000n);
  // What the wallet has is set aside for another job.
  const other = await hold(ledger, job.payerId, 20_001n);
  await used(ledger, version(job.lease.leaseId, 2, 80_000n));
  expect((await invoiceOf(job.jobId)).notes).toMatchObject([
    { kind: 'debit', amountMicros: 0n, writtenOffMicros: 20_000n, billableMs: 20_000n },
  ]);
  expect(await balances(job)).toEqual(['40000/20001', '57000/0']);
  expect(await eventsOf(job.jobId, ChargePosted)).toHaveLength(1);
  await ledger.release.execute({ service: 'scheduler', requestId: other.jobId, jobId: other.jobId });
  await used(ledger, version(job.lease.leaseId, 3, 81_000n));
  expect(await balances(job)).toEqual(['39000/0', '57950/0']);
});

test('two corrections of one payer at once never spend the same money', async () => {
  const payerId = randomUUID();
  await deposit(ledger, payerId, 220_000n);
  const jobs = await Promise.all([1, 2].map(() => hold(ledger, payerId, 100_000n)));
  const leases = jobs.map(({ jobId }) => aLease({ jobId, payerId }));
  for (const lease of leases) {
    await started(ledger, lease);
    await ended(ledger, lease);
    await used(ledger, version(lease.leaseId, 1, 10_000n));
    await finished(ledger, lease.jobId, payerId, [lease.leaseId]);
  }
  // 200,000 are left; the third hold leaves 80,000 for two debits of 80,000.
  await hold(ledger, payerId, 120_000n);
  await Promise.all(leases.map((lease) => used(ledger, version(lease.leaseId, 2, 90_000n))));
  const notes = (await Promise.all(jobs.map(({ jobId }) => invoiceOf(jobId)))).flatMap((invoice) => invoice.notes);
  expect(notes.map((note) => note.amountMicros).sort()).toEqual([0n, 80_000n]);
  expect((await balancesOf(ledger))[`org:${payerId}:wallet USD`]).toBe('120000/120000');
});

test('any order of versions around settlement, also at once, ends in the same money', async () => {
  const versions = fc.array(fc.bigInt({ min: 0n, max: 400_000n }), { minLength: 2, maxLength: 5 });
  const aCase = versions.chain((ms) => {
    const numbers = ms.map((_, index) => index);
    const order = fc.shuffledSubarray(numbers, { minLength: numbers.length });
    return fc.record({ ms: fc.constant(ms), order, parallel: fc.boolean() });
  });
  await fc.assert(
    fc.asyncProperty(aCase, async ({ ms, order, parallel }) => {
      const last = ms.at(-1)!;
      const [first = 0, ...late] = order;
      const job = await aSettledJob(0n, 1_000_000n, 300_000n);
      const send = (index: number) => used(ledger, version(job.lease.leaseId, index + 2, ms[index]!));
      await send(first);
      if (parallel) await Promise.all(late.map(send));
      else for (const index of late) await send(index);
      const charge = last < 300_000n ? last : 300_000n;
      const [wallet, payable] = await balances(job);
      expect(wallet).toBe(`${1_000_000n - charge}/0`);
      expect(payable ?? '0/0').toBe(`${charge - (charge * 500n) / 10_000n}/0`);
      const { totalMicros, notes } = await invoiceOf(job.jobId);
      const signed = notes.map(({ kind, amountMicros }) => (kind === 'credit' ? -amountMicros : amountMicros));
      expect(signed.reduce((sum, amount) => sum + amount, totalMicros)).toBe(charge);
    }),
    { numRuns: 12 },
  );
}, 120_000);
