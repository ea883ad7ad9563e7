import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DomainError } from '@daya/kernel';
import { ScopedTransactions, createDataSources, type DataSources } from '@daya/postgres';
import { FakeClock, testDatabase, type TestDatabase } from '@daya/testing';
import { DataSource } from 'typeorm';
import { Ed25519QuoteSigner } from '../src/adapters/ed25519-quote-signer';
import { BILLING_AUDITORS, MIGRATIONS } from '../src/adapters/postgres/migrations';
import { PostgresQueries } from '../src/adapters/postgres/postgres-queries';
import { DerivedInvoiceIds, PostgresStore } from '../src/adapters/postgres/postgres-store';
import { FinishJob } from '../src/application/finish-job';
import { PlaceHold } from '../src/application/place-hold';
import type { RecordedUsage, Transaction } from '../src/application/ports';
import { PriceQuote } from '../src/application/price-quote';
import { RecordDeposit } from '../src/application/record-deposit';
import { RecordLease } from '../src/application/record-lease';
import { RecordUsage } from '../src/application/record-usage';
import { ReleaseHold } from '../src/application/release-hold';
import type { Fault, LeaseTerms } from '../src/domain/charge';
import type { Hold } from '../src/domain/hold';

export const FEE_BPS = 500;
export const OPERATOR = '00000000-0000-7000-8000-0000000000ff';

/** Billing's use cases on a real database of their own; only the clock is ours. */
export interface Ledger {
  readonly db: TestDatabase;
  readonly sources: DataSources;
  /** Connected as the audit role. */
  readonly auditor: DataSource;
  readonly store: PostgresStore;
  readonly queries: PostgresQueries;
  readonly clock: FakeClock;
  readonly price: PriceQuote;
  readonly place: PlaceHold;
  readonly release: ReleaseHold;
  readonly deposit: RecordDeposit;
  readonly lease: RecordLease;
  readonly usage: RecordUsage;
  readonly finish: FinishJob;
  close(): Promise<void>;
}

export async function openLedger(): Promise<Ledger> {
  const db = await testDatabase('billing', MIGRATIONS);
  const sources = await createDataSources({ ...db, applicationName: 'billing-test' }).open();
  const auditor = await new DataSource({ type: 'postgres', url: db.auditUrl }).initialize();
  const transactions = new PatientTransactions(sources);
  const store = new PostgresStore(transactions);
  const clock = new FakeClock();
  const ids = new DerivedInvoiceIds();
  const { signer, remove } = testSigner();
  return {
    db,
    sources,
    auditor,
    store,
    clock,
    queries: new PostgresQueries(transactions),
    price: new PriceQuote(signer, { feeBps: FEE_BPS, version: 'test' }),
    place: new PlaceHold(store, signer, clock),
    release: new ReleaseHold(store, clock),
    deposit: new RecordDeposit(store),
    lease: new RecordLease(ids, clock),
    usage: new RecordUsage(ids, clock),
    finish: new FinishJob(ids, clock),
    close: async () => {
      await auditor.destroy();
      await sources.close();
      await db.drop();
      remove();
    },
  };
}

function testSigner(): { signer: Ed25519QuoteSigner; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'daya-billing-'));
  const file = join(folder, 'billing.jwk.json');
  writeFileSync(file, JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })), {
    mode: 0o600,
  });
  return { signer: new Ed25519QuoteSigner(file), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Tries again while the database has no connection free, as every caller of ours does: on a busy machine that happens. */
class PatientTransactions extends ScopedTransactions {
  override async run<T>(...args: Parameters<typeof ScopedTransactions.prototype.run<T>>): Promise<T> {
    for (;;) {
      try {
        return await super.run(...args);
      } catch (error) {
        if (!(error instanceof DomainError && error.kind === 'unavailable')) throw error;
      }
    }
  }
}

/** Runs a consumer's use case in a transaction of its own. */
export const apply = (ledger: Ledger, work: (tx: Transaction) => Promise<void>): Promise<void> =>
  ledger.store.transaction('system', work);

export async function deposit(ledger: Ledger, organisationId: string, micros: bigint): Promise<void> {
  const reference = randomUUID();
  await ledger.deposit.execute({
    operatorId: OPERATOR,
    requestId: reference,
    organisationId,
    amount: { asset: 'USD', amount: micros },
    bankReference: reference,
  });
}

/** A quote of one task at a price an hour that costs exactly `micros` for an hour. */
export const aQuote = (ledger: Ledger, micros: bigint) =>
  ledger.price.execute({
    quoteId: randomUUID(),
    tasks: [{ priceMicrosPerGpuHour: micros, gpuMilli: 1_000, maxRunSeconds: 3_600, taskCount: 1 }],
  });

export async function hold(
  ledger: Ledger,
  organisationId: string,
  micros: bigint,
  jobId: string = randomUUID(),
): Promise<Hold> {
  const quote = aQuote(ledger, micros);
  return ledger.place.execute({ requestId: jobId, jobId, organisationId, quote });
}

export const aLease = (over: Partial<LeaseTerms> & Pick<LeaseTerms, 'jobId' | 'payerId'>): LeaseTerms => ({
  leaseId: randomUUID(),
  payeeId: randomUUID(),
  asset: 'USD',
  providerId: randomUUID(),
  nodeId: randomUUID(),
  taskIndex: 0,
  runNumber: 1,
  gpuModelId: 'rtx-4090',
  gpuMilli: 1_000,
  priceMicrosPerGpuHour: 3_600_000n,
  emulated: true,
  ...over,
});

export const aWindow = (
  leaseId: string,
  index: number,
  cumulativeMs: bigint,
  over: Partial<RecordedUsage> = {},
): RecordedUsage => ({
  usageId: `${leaseId}/${index}`,
  leaseId,
  startTime: new Date(index * 60_000),
  endTime: new Date((index + 1) * 60_000),
  version: 1,
  billableMs: cumulativeMs < 60_000n ? cumulativeMs : 60_000n,
  cumulativeMs,
  final: false,
  ...over,
});

export const started = (ledger: Ledger, terms: LeaseTerms) =>
  apply(ledger, (tx) => ledger.lease.started(tx, { terms, startTime: new Date(0) }));
export const ended = (ledger: Ledger, terms: LeaseTerms, fault: Fault = 'none') =>
  apply(ledger, (tx) => ledger.lease.ended(tx, { terms, startTime: new Date(0), endTime: new Date(600_000), fault }));
export const used = (ledger: Ledger, window: RecordedUsage) => apply(ledger, (tx) => ledger.usage.execute(tx, window));
export const finished = (ledger: Ledger, jobId: string, payerId: string, startedLeaseIds: readonly string[]) =>
  apply(ledger, (tx) => ledger.finish.execute(tx, { jobId, payerId, startedLeaseIds, finishTime: new Date(700_000) }));

/** Posted and held of every account, by its code. */
export async function balancesOf(ledger: Ledger): Promise<Record<string, string>> {
  const { rows } = await ledger.queries.trialBalance({ size: 10_000, after: undefined });
  return Object.fromEntries(rows.map(({ code, asset, posted, held }) => [`${code} ${asset}`, `${posted}/${held}`]));
}

/** Every violation that an auditor finds, read as the audit role. */
export async function audit(
  ledger: Ledger,
  names: readonly string[] = BILLING_AUDITORS,
): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  for (const name of names) {
    const rows: unknown[] = await ledger.auditor.query(`SELECT * FROM ${name}(0)`);
    if (rows.length > 0) found[name] = rows;
  }
  return found;
}

/** Runs statements as the owner of the tables, the only role that can switch triggers off. */
export async function asOwner(ledger: Ledger, ...statements: readonly string[]): Promise<unknown> {
  const db = await new DataSource({ type: 'postgres', url: ledger.db.ownerUrl }).initialize();
  try {
    let last: unknown;
    for (const statement of statements) last = await db.query(statement);
    return last;
  } finally {
    await db.destroy();
  }
}
