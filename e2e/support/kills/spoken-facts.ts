import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, Identity } from '@daya/nest/client';
import { BillingServiceService, PricedQuote } from '@daya/proto/billing';
import { withClient, type Replica } from './replica';
import type { Platform } from '../platform';

const OPERATOR_ORGANISATION = '00000000-0000-7000-8000-000000000001';
const AT_ONCE = 8;

/**
 * What billing was told by calls and not by topics: deposits and holds. Tells it to the replica again, in the words of the
 * first time (the quotes carry billing's own signature).
 */
export async function repeatDepositsAndHolds(platform: Platform, replica: Replica): Promise<void> {
  const billing = clientOf(platform, replica, 'gateway');
  const scheduler = clientOf(platform, replica, 'scheduler');
  // A test that played the scheduler left no job behind: its hold is quoted as one GPU hour of that price.
  const quoteOf = async (quoteId: string, organisationId: string, amount: bigint) => {
    const tasks = [{ priceMicrosPerGpuHour: amount, gpuMilli: 1_000, maxRunSeconds: 3_600, taskCount: 1 }];
    return (await scheduler.priceQuote({ requestId: quoteId, organisationId, tasks })).quote;
  };
  const operator = {
    kind: 'member',
    organisationId: OPERATOR_ORGANISATION,
    role: 'owner',
    scopes: ['billing:write'],
    keyId: 'replay',
    operator: true,
  } as const;
  try {
    const { deposits, held, released } = await spoken(platform);
    await inParallel(deposits, async ({ payee_id: organisationId, amount, cause }) => {
      const bankReference = cause.slice('deposit:'.length);
      const request = {
        requestId: randomUUID(),
        organisationId,
        amount: { asset: 'USD', amount: BigInt(amount) },
        bankReference,
      };
      await billing.recordDeposit(request, { caller: operator });
    });
    const quotes = await quotesOf(platform, held);
    await inParallel(held, async ({ job_id: jobId, payer_id: organisationId, hold_amount: amount }) => {
      const priced = quotes.get(jobId);
      const quote = priced ? PricedQuote.decode(priced) : await quoteOf(jobId, organisationId, BigInt(amount));
      await scheduler.placeHold({ requestId: jobId, organisationId, jobId, quote });
    });
    await inParallel(released, async (jobId) => {
      await scheduler.releaseHold({ requestId: `release-${jobId}`, jobId });
    });
  } finally {
    billing.onModuleDestroy();
    scheduler.onModuleDestroy();
  }
}

function clientOf(platform: Platform, replica: Replica, from: string) {
  const { tlsFolder } = platform;
  const identity = new Identity({
    service: from,
    keyFile: join(tlsFolder, `${from}.jwk.json`),
    jwksFile: join(tlsFolder, 'jwks.json'),
  });
  const tls = { ca: readFileSync(join(tlsFolder, 'ca.pem')) };
  return createClient(BillingServiceService, { url: replica.grpcUrl, audience: 'billing', identity, tls });
}

interface Spoken {
  readonly deposits: { payee_id: string; amount: string; cause: string }[];
  /** Jobs whose hold was placed. */
  readonly held: { job_id: string; payer_id: string; hold_amount: string }[];
  /** Jobs whose hold the scheduler gave back by a call: nothing of them was ever announced. */
  readonly released: string[];
}

const spoken = (platform: Platform): Promise<Spoken> =>
  withClient(urlOf(platform, 'billing'), async (client) => {
    const deposits = await client.query<Spoken['deposits'][number]>(
      `SELECT payee_id, amount, cause FROM ledger_transfer WHERE kind = 'single' AND cause LIKE 'deposit:%' ORDER BY position`,
    );
    const held = await client.query<Spoken['held'][number]>(
      `SELECT job_id, payer_id, hold_amount FROM billed_job WHERE hold_amount > 0`,
    );
    const released = await client.query<{ job_id: string }>(
      `SELECT job_id FROM billed_job WHERE hold_state = 'released' AND finish_time IS NULL`,
    );
    return { deposits: deposits.rows, held: held.rows, released: released.rows.map((row) => row.job_id) };
  });

/** The signed quotes that jobs were submitted with, as the scheduler keeps them. */
const quotesOf = (platform: Platform, held: Spoken['held']): Promise<ReadonlyMap<string, Buffer>> =>
  withClient(urlOf(platform, 'scheduler'), async (client) => {
    const { rows } = await client.query<{ job_id: string; priced: Buffer }>(
      `SELECT j.job_id, q.priced FROM job j JOIN quote q USING (quote_id) WHERE j.job_id = ANY($1::uuid[])`,
      [held.map((row) => row.job_id)],
    );
    return new Map(rows.map((row) => [row.job_id, row.priced]));
  });

function urlOf(platform: Platform, service: string): string {
  const urls = platform.databases[service];
  if (urls === undefined) throw new Error(`${service} has no database`);
  return urls.auditUrl;
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
