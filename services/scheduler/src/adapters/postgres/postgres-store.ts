import type { Scope } from '@daya/kernel';
import { claim, findAnswer, onceAs, write, type Codec, type ScopedTransactions } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import {
  Store,
  type Blobs,
  type JobFeed,
  type Quotes,
  type RequestKey,
  type Requests,
  type SealedSecrets,
  type Transaction,
} from '../../application/ports';
import type { Quote } from '../../domain/quote';
import { decodePriced, encodePriced } from '../proto-events';
import { PostgresEvents } from './postgres-events';
import { PostgresJobs } from './postgres-jobs';
import { PostgresLeases } from './postgres-leases';
import { quotedTasksFromJson, quotedTasksToJson, specFromJson, specToJson, type QuoteRow } from './rows';

/** One EntityManager a transaction. Tells the feed which jobs changed, after the commit. */
export class PostgresStore extends Store {
  constructor(
    private readonly transactions: ScopedTransactions,
    private readonly feed: JobFeed,
  ) {
    super();
  }

  override async transaction<T>(scope: Scope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const touched = new Set<string>();
    const result = await this.transactions.run(scope, (em) => {
      touched.clear();
      return work({
        requests: new PostgresRequests(em),
        quotes: new PostgresQuotes(em),
        jobs: new PostgresJobs(em, touched),
        leases: new PostgresLeases(em, touched),
        blobs: new PostgresBlobs(em),
        events: new PostgresEvents(em),
      });
    });
    this.feed.changed(touched);
    return result;
  }
}

const TEXT_CODEC: Codec<string> = {
  encode: (text) => Buffer.from(text),
  decode: (bytes) => Buffer.from(bytes).toString('utf8'),
};

class PostgresRequests implements Requests {
  constructor(private readonly em: EntityManager) {}

  claim(key: RequestKey, answer: string): Promise<void> {
    return claim(this.em, { ...key, fingerprint: key.content }, answer, TEXT_CODEC);
  }

  once(key: RequestKey, answer: string, work: () => Promise<void>): Promise<string> {
    return onceAs(this.em, { ...key, fingerprint: key.content }, answer, work, TEXT_CODEC);
  }

  find(key: RequestKey): Promise<string | undefined> {
    return findAnswer(this.em, { ...key, fingerprint: key.content }, TEXT_CODEC);
  }
}

class PostgresQuotes implements Quotes {
  constructor(private readonly em: EntityManager) {}

  async insert(quote: Quote, secrets: SealedSecrets): Promise<void> {
    await write(
      this.em,
      `INSERT INTO quote (quote_id, organisation_id, project_id, spec, secrets, tasks, priced, create_time, expire_time)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        quote.quoteId,
        quote.organisationId,
        quote.projectId,
        specToJson(quote.spec),
        secrets ? Buffer.from(secrets) : null,
        quotedTasksToJson(quote.tasks),
        Buffer.from(encodePriced(quote.priced)),
        quote.createTime,
        quote.expireTime,
      ],
    );
  }

  async find(quoteId: string): Promise<{ quote: Quote; secrets: SealedSecrets } | undefined> {
    const [row]: QuoteRow[] = await this.em.query(`SELECT * FROM quote WHERE quote_id = $1`, [quoteId]);
    return row && { quote: toQuote(row), secrets: row.secrets ?? undefined };
  }
}

const toQuote = (row: QuoteRow): Quote => ({
  quoteId: row.quote_id,
  organisationId: row.organisation_id,
  projectId: row.project_id,
  spec: specFromJson(row.spec),
  tasks: quotedTasksFromJson(row.tasks),
  priced: decodePriced(row.priced),
  createTime: row.create_time,
  expireTime: row.expire_time,
});

class PostgresBlobs implements Blobs {
  constructor(private readonly em: EntityManager) {}

  async add(organisationId: string, sha256: string, bytes: bigint): Promise<void> {
    await write(
      this.em,
      `INSERT INTO blob (organisation_id, sha256, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
      [organisationId, sha256, bytes.toString()],
    );
  }
}
