import { createPublicKey, randomUUID, verify, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { EventConsumer, on } from '@daya/messaging';
import { DataSources } from '@daya/postgres';
import {
  ChargePosted,
  HoldPlaced,
  HoldReleased,
  HoldState,
  InvoiceIssued,
  NoteIssued,
  NoteKind,
  PricedQuote,
  TransferKind,
} from '@daya/proto/billing';
import { eventually } from '@daya/testing';
import { correctionOf, eventsOf, type Market } from './market-events';
import { OPERATOR, depositAt, memberOf, publish, quoteAt, startBilling, type RunningBilling } from './service-harness';

let billing: RunningBilling;
beforeAll(async () => void (billing = await startBilling()), 60_000);
afterAll(() => billing.stop(), 30_000);

const deposit = (organisationId: string, micros: bigint): Promise<void> => depositAt(billing, organisationId, micros);
const aQuote = (organisationId: string, micros: bigint): Promise<PricedQuote> =>
  quoteAt(billing, organisationId, micros);

test('a job from quote to invoice over real gRPC and Kafka, every event sent twice and in a bad order', async () => {
  const { gateway, scheduler, kafka, service } = billing;
  const market: Market = {
    organisationId: randomUUID(),
    providerOrganisationId: randomUUID(),
    jobId: randomUUID(),
    leaseId: randomUUID(),
  };
  const { organisationId, providerOrganisationId, jobId } = market;
  const payer = { caller: memberOf(organisationId) };
  await deposit(organisationId, 5_000_000n);
  const quote = await aQuote(organisationId, 3_600_000n);
  const { hold } = await scheduler.placeHold({ requestId: jobId, organisationId, jobId, quote });
  expect(hold).toMatchObject({ state: HoldState.OPEN, amount: { asset: 'USD', amount: 3_600_000n } });

  const heard: string[] = [];
  const listener = new EventConsumer({
    kafka,
    group: 'test.charges',
    topics: ['daya.billing.charges'],
    db: service.app.get(DataSources, { strict: false }).system,
    handlers: Object.fromEntries(
      [HoldPlaced, ChargePosted, HoldReleased, InvoiceIssued, NoteIssued].map((codec) =>
        on(codec as typeof HoldPlaced, async () => void heard.push(codec.$type.split('.').at(-1)!)),
      ),
    ),
  });
  await listener.start();
  const events = eventsOf(market);
  await publish(kafka, [...events, ...events]);

  const statement = await eventually(
    async () => {
      const { statement } = await gateway.getJobStatement({ jobId }, payer);
      expect(statement).toMatchObject({ settled: true });
      return statement!;
    },
    { timeoutMs: 20_000 },
  );
  expect(statement).toMatchObject({
    heldMicros: 3_600_000n,
    chargedMicros: 60_000n,
    feeMicros: 3_000n,
    providerMicros: 57_000n,
    releasedMicros: 3_540_000n,
  });
  expect(statement.runs).toMatchObject([
    { gpuModelId: 'rtx-4090', gpuMilli: 1_000, billableMs: 60_000n, chargeMicros: 60_000n, waivedReason: '' },
  ]);

  const { invoices } = await gateway.listInvoices({ pageSize: 0, pageToken: '', jobId }, payer);
  expect(invoices).toMatchObject([
    { organisationId, totalMicros: 60_000n, lines: [{ what: 'compute', amountMicros: 60_000n }] },
  ]);
  expect((await gateway.getInvoice({ invoiceId: invoices[0]!.invoiceId }, payer)).invoice).toEqual(invoices[0]);
  expect((await gateway.getBalance({ organisationId: '' }, payer)).accounts).toMatchObject([
    { posted: { amount: 4_940_000n }, held: { amount: 0n } },
  ]);
  expect(
    (await gateway.getBalance({ organisationId: '' }, { caller: memberOf(providerOrganisationId) })).accounts,
  ).toMatchObject([{ posted: { amount: 57_000n } }]);
  expect((await gateway.getHold({ jobId }, payer)).hold).toMatchObject({
    state: HoldState.RELEASED,
    remaining: { amount: 0n },
  });
  await eventually(() => expect(heard).toEqual(['HoldPlaced', 'ChargePosted', 'HoldReleased', 'InvoiceIssued']), {
    timeoutMs: 20_000,
  });

  // Metering corrects its record after the invoice: half of the minute was not used.
  await publish(kafka, [correctionOf(events, 30_000n)]);
  const invoice = await eventually(
    async () => {
      const { invoice } = await gateway.getInvoice({ invoiceId: invoices[0]!.invoiceId }, payer);
      expect(invoice).toMatchObject({ totalMicros: 60_000n, netMicros: 30_000n });
      return invoice!;
    },
    { timeoutMs: 20_000 },
  );
  expect(invoice.notes).toMatchObject([
    { kind: NoteKind.CREDIT, amountMicros: 30_000n, writtenOffMicros: 0n, billableMs: -30_000n, jobId },
  ]);
  expect((await gateway.getJobStatement({ jobId }, payer)).statement).toMatchObject({
    chargedMicros: 30_000n,
    releasedMicros: 3_540_000n,
    creditedMicros: 30_000n,
    debitedMicros: 0n,
    notes: invoice.notes,
  });
  expect((await gateway.listTransfers({ pageSize: 1, pageToken: '' }, payer)).transfers).toMatchObject([
    { kind: TransferKind.CREDIT_NOTE, creditAccount: `org:${organisationId}:wallet` },
  ]);
  await eventually(() => expect(heard.slice(4)).toEqual(['ChargePosted', 'NoteIssued']), { timeoutMs: 20_000 });
  await listener.stop();
}, 90_000);

test('transfers are paged newest first, by tokens that fit no other list', async () => {
  const { gateway } = billing;
  const organisationId = randomUUID();
  const caller = memberOf(organisationId);
  for (const micros of [1n, 2n, 3n]) await deposit(organisationId, micros);
  const first = await gateway.listTransfers({ pageSize: 2, pageToken: '' }, { caller });
  const second = await gateway.listTransfers({ pageSize: 2, pageToken: first.nextPageToken }, { caller });
  expect([...first.transfers, ...second.transfers].map((transfer) => transfer.amount?.amount)).toEqual([3n, 2n, 1n]);
  expect(second.nextPageToken).toBe('');
  const misused = gateway.listInvoices({ pageSize: 2, pageToken: first.nextPageToken, jobId: '' }, { caller });
  await expect(misused).rejects.toMatchObject({ violations: [{ field: 'page_token', reason: 'PAGE_TOKEN_INVALID' }] });
  await expect(gateway.listTransfers({ pageSize: -1, pageToken: '' }, { caller })).rejects.toMatchObject({
    violations: [{ field: 'page_size' }],
  });
});

test('another organisation’s job, hold, invoice and balance look like missing ones', async () => {
  const { gateway, scheduler } = billing;
  const organisationId = randomUUID();
  await deposit(organisationId, 10n);
  const jobId = randomUUID();
  await scheduler.placeHold({ requestId: jobId, organisationId, jobId, quote: await aQuote(organisationId, 10n) });
  const stranger = { caller: memberOf(randomUUID()) };
  await expect(gateway.getHold({ jobId }, stranger)).rejects.toMatchObject({ reason: 'HOLD_NOT_FOUND' });
  await expect(gateway.getJobStatement({ jobId }, stranger)).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' });
  await expect(gateway.getJobStatement({ jobId: randomUUID() }, stranger)).rejects.toMatchObject({
    reason: 'JOB_NOT_FOUND',
  });
  await expect(gateway.getBalance({ organisationId }, stranger)).rejects.toMatchObject({
    reason: 'ORGANISATION_NOT_FOUND',
  });
  expect((await gateway.listTransfers({ pageSize: 0, pageToken: '' }, stranger)).transfers).toEqual([]);
  expect((await gateway.getBalance({ organisationId }, { caller: OPERATOR })).accounts).toMatchObject([
    { held: { amount: 10n } },
  ]);
  expect((await scheduler.getHold({ jobId })).hold).toMatchObject({ organisationId });
});

test('only those whom the contract names get in', async () => {
  const { gateway } = billing;
  const organisationId = randomUUID();
  const caller = memberOf(organisationId);
  await expect(gateway.getTrialBalance({ pageSize: 0, pageToken: '' }, { caller })).rejects.toMatchObject({
    reason: 'OPERATOR_ONLY',
  });
  const amount = { asset: 'USD', amount: 1n };
  await expect(
    gateway.recordDeposit(
      { requestId: 'r', organisationId, amount, bankReference: 'b' },
      { caller: { ...caller, role: 'owner' } },
    ),
  ).rejects.toMatchObject({ reason: 'OPERATOR_ONLY' });
  await expect(gateway.releaseHold({ requestId: 'r', jobId: randomUUID() }, { caller })).rejects.toMatchObject({
    reason: 'MEMBERS_NOT_ALLOWED',
  });
  await expect(gateway.releaseHold({ requestId: 'r', jobId: randomUUID() })).rejects.toMatchObject({
    reason: 'SERVICE_NOT_ALLOWED',
  });
});

test('the operator’s trial balance sums to zero', async () => {
  const { gateway } = billing;
  const { accounts, sums } = await gateway.getTrialBalance({ pageSize: 0, pageToken: '' }, { caller: OPERATOR });
  expect(sums).toEqual([{ asset: 'USD', amount: 0n }]);
  expect(accounts.reduce((sum, account) => sum + account.posted!.amount, 0n)).toBe(0n);
});

test('every violated field is named at once', async () => {
  const { scheduler } = billing;
  const task = { priceMicrosPerGpuHour: -1n, gpuMilli: 0, maxRunSeconds: 0, taskCount: 0 };
  const quote = scheduler.priceQuote({ requestId: '', organisationId: 'x', tasks: [task] });
  await expect(quote).rejects.toMatchObject({ reason: 'INVALID_FIELDS' });
  const fields = await quote.catch((error: { violations: { field: string }[] }) =>
    error.violations.map(({ field }) => field),
  );
  expect(fields).toEqual([
    'request_id',
    'organisation_id',
    'tasks[0].price_micros_per_gpu_hour',
    'tasks[0].gpu_milli',
    'tasks[0].max_run_seconds',
    'tasks[0].task_count',
  ]);
  await expect(
    scheduler.placeHold({ requestId: 'r', organisationId: '', jobId: 'x', quote: undefined }),
  ).rejects.toMatchObject({
    violations: [{ field: 'organisation_id' }, { field: 'job_id' }, { field: 'quote' }, { field: 'request_id' }],
  });
});

test('anyone with the platform’s public keys can check a quote’s signature', async () => {
  const { identity } = billing;
  const quote = await aQuote(randomUUID(), 5n);
  const { keys } = JSON.parse(readFileSync(identity.env('billing').JWKS_FILE, 'utf8')) as {
    keys: (JsonWebKey & { kid: string })[];
  };
  const key = createPublicKey({ format: 'jwk', key: keys.find(({ kid }) => kid === 'billing')! });
  const bytes = PricedQuote.encode({ ...quote, signature: Buffer.alloc(0) }).finish();
  expect(verify(null, bytes, key, quote.signature)).toBe(true);
});
