import { randomUUID } from 'node:crypto';
import type { DomainError } from '@daya/kernel';
import {
  aLease,
  aQuote,
  audit,
  balancesOf,
  deposit,
  ended,
  finished,
  hold,
  openLedger,
  started,
  type Ledger,
} from './harness';

let ledger: Ledger;
beforeAll(async () => void (ledger = await openLedger()));
afterAll(() => ledger.close());
afterEach(async () => expect(await audit(ledger)).toEqual({}));

const walletOf = async (organisationId: string): Promise<string | undefined> =>
  (await balancesOf(ledger))[`org:${organisationId}:wallet USD`];
const refusal = (reason: string) => expect.objectContaining({ reason });

test('a hold sets the whole quote aside; a repeated request gets the first hold and other content is refused', async () => {
  const payer = randomUUID();
  await deposit(ledger, payer, 10_000n);
  const quote = aQuote(ledger, 4_000n);
  const jobId = randomUUID();
  const command = { requestId: jobId, jobId, organisationId: payer, quote };
  const [first, second] = await Promise.all([ledger.place.execute(command), ledger.place.execute(command)]);
  expect(first).toMatchObject({ amount: 4_000n, remaining: 4_000n, state: 'open' });
  expect(second).toEqual(first);
  expect(await walletOf(payer)).toBe('10000/4000');
  const other = aQuote(ledger, 5_000n);
  await expect(ledger.place.execute({ ...command, quote: other })).rejects.toEqual(refusal('REQUEST_ID_REUSED'));
  const events: { type: string }[] = await ledger.sources.system.query('SELECT type FROM outbox WHERE key = $1', [
    jobId,
  ]);
  expect(events).toEqual([{ type: 'daya.billing.v1.HoldPlaced' }]);
});

test('without the money nothing is set aside, and the same request succeeds once the money is there', async () => {
  const payer = randomUUID();
  const jobId = randomUUID();
  await deposit(ledger, payer, 3_999n);
  const quote = aQuote(ledger, 4_000n);
  const command = { requestId: jobId, jobId, organisationId: payer, quote };
  await expect(ledger.place.execute(command)).rejects.toEqual(refusal('INSUFFICIENT_FUNDS'));
  expect(await walletOf(payer)).toBe('3999/0');
  expect(await ledger.queries.hold('system', jobId)).toBeUndefined();
  await deposit(ledger, payer, 1n);
  expect(await ledger.place.execute(command)).toMatchObject({ state: 'open' });
  expect(await walletOf(payer)).toBe('4000/4000');
});

test('of 200 parallel holds with funds for one, exactly one is placed', async () => {
  const payer = randomUUID();
  await deposit(ledger, payer, 1_500n);
  const quote = aQuote(ledger, 1_000n);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, () => {
      const jobId = randomUUID();
      return ledger.place.execute({ requestId: jobId, jobId, organisationId: payer, quote });
    }),
  );
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const reasons = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [(outcome.reason as DomainError).reason] : [],
  );
  expect(new Set(reasons)).toEqual(new Set(['INSUFFICIENT_FUNDS']));
  expect(await walletOf(payer)).toBe('1500/1000');
});

test('a quote that billing did not sign exactly so is refused', async () => {
  const payer = randomUUID();
  await deposit(ledger, payer, 10_000n);
  const quote = aQuote(ledger, 4_000n);
  const jobId = randomUUID();
  for (const forged of [
    { totalMicros: 1n },
    { feeBps: 0 },
    { quoteId: 'other' },
    { lines: [] },
    { signature: Buffer.alloc(64) },
  ]) {
    const place = ledger.place.execute({
      requestId: jobId,
      jobId,
      organisationId: payer,
      quote: { ...quote, ...forged },
    });
    await expect(place).rejects.toMatchObject({ kind: 'invalid', violations: [{ field: 'quote.signature' }] });
  }
  expect(await walletOf(payer)).toBe('10000/0');
});

test('a release gives everything back once, and a hold that was released before it was placed stays released', async () => {
  const payer = randomUUID();
  await deposit(ledger, payer, 10_000n);
  const { jobId } = await hold(ledger, payer, 4_000n);
  const release = (requestId: string) => ledger.release.execute({ service: 'scheduler', requestId, jobId });
  expect(await Promise.all([release('a'), release('a'), release('b')])).toMatchObject([
    { state: 'released' },
    { state: 'released' },
    { state: 'released' },
  ]);
  expect(await walletOf(payer)).toBe('10000/0');

  const late = randomUUID();
  await ledger.release.execute({ service: 'scheduler', requestId: late, jobId: late });
  await expect(hold(ledger, payer, 4_000n, late)).rejects.toEqual(refusal('HOLD_CLOSED'));
  expect(await walletOf(payer)).toBe('10000/0');
});

test('a hold is not released by hand once a lease has started', async () => {
  const payer = randomUUID();
  await deposit(ledger, payer, 4_000n);
  const { jobId } = await hold(ledger, payer, 4_000n);
  const lease = aLease({ jobId, payerId: payer });
  await started(ledger, lease);
  await expect(ledger.release.execute({ service: 'scheduler', requestId: 'r', jobId })).rejects.toEqual(
    refusal('HOLD_IN_USE'),
  );
  await ended(ledger, lease, 'platform');
  await finished(ledger, jobId, payer, [lease.leaseId]);
  expect(await walletOf(payer)).toBe('4000/0');
});

test('a job that ended before its hold was placed is never held for', async () => {
  const payer = randomUUID();
  const jobId = randomUUID();
  await deposit(ledger, payer, 4_000n);
  await finished(ledger, jobId, payer, []);
  await expect(hold(ledger, payer, 4_000n, jobId)).rejects.toEqual(refusal('HOLD_CLOSED'));
});

test('a job that is cancelled before it ran gets its whole hold back, once', async () => {
  const payer = randomUUID();
  await deposit(ledger, payer, 4_000n);
  const { jobId } = await hold(ledger, payer, 4_000n);
  await Promise.all([finished(ledger, jobId, payer, []), finished(ledger, jobId, payer, [])]);
  expect(await walletOf(payer)).toBe('4000/0');
  expect(await ledger.queries.statement('system', jobId)).toMatchObject({
    settled: true,
    releasedMicros: 4_000n,
    runs: [],
  });
  const events: { type: string }[] = await ledger.sources.system.query(
    'SELECT type FROM outbox WHERE key = $1 ORDER BY position',
    [jobId],
  );
  expect(events.map(({ type }) => type.split('.').at(-1))).toEqual(['HoldPlaced', 'HoldReleased', 'InvoiceIssued']);
});

test('a bank reference counts once, whatever its request id', async () => {
  const organisationId = randomUUID();
  const command = {
    operatorId: randomUUID(),
    requestId: 'one',
    organisationId,
    amount: { asset: 'USD', amount: 5n },
    bankReference: randomUUID(),
  };
  const [first, again] = await Promise.all([ledger.deposit.execute(command), ledger.deposit.execute(command)]);
  expect(first).toMatchObject({
    amount: 5n,
    kind: 'single',
    debitCode: 'world:bank',
    creditCode: `org:${organisationId}:wallet`,
  });
  expect(again).toEqual(first);
  await expect(ledger.deposit.execute({ ...command, requestId: 'two' })).rejects.toEqual(refusal('TRANSFER_EXISTS'));
  await expect(ledger.deposit.execute({ ...command, amount: { asset: 'USD', amount: 6n } })).rejects.toEqual(
    refusal('REQUEST_ID_REUSED'),
  );
  await expect(ledger.deposit.execute({ ...command, amount: { asset: 'DAYA', amount: 0n } })).rejects.toMatchObject({
    violations: [{ field: 'amount.asset' }, { field: 'amount.amount' }],
  });
  expect(await walletOf(organisationId)).toBe('5/0');
});

test('a quote is signed as it is priced, and the same question gets the same answer', () => {
  const command = {
    quoteId: randomUUID(),
    tasks: [{ priceMicrosPerGpuHour: 10n, gpuMilli: 1_000, maxRunSeconds: 3_600, taskCount: 3 }],
  };
  const first = ledger.price.execute(command);
  expect(first).toMatchObject({ totalMicros: 30n, feeBps: 500, lines: [{ what: 'compute', amountMicros: 30n }] });
  expect(ledger.price.execute(command)).toEqual(first);
  expect(ledger.price.execute({ ...command, quoteId: randomUUID() }).signature).not.toEqual(first.signature);
});
