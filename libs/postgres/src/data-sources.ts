import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource, type EntitySchema } from 'typeorm';
import { isUnavailable, storeError } from './database-errors';
import { preparingDriver } from './preparing-driver';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** Later than the server's own, which does not fire when the server is stopped. */
const QUERY_TIMEOUT_MS = 12_000;
/** Longer than any network call inside a transaction (the relay's send). */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;
const POOL_SIZE = 10;
/** A connection costs a process, a password check and every prepared statement: pg's 10 s would pay for it again and again. */
const IDLE_CONNECTION_MS = 300_000;
const OPEN_PATIENCE_MS = 30_000;
const OPEN_RETRY_MS = 500;

export interface DataSourceOptions {
  /** The role under row-level security. */
  readonly url: string;
  /** The role with BYPASSRLS: engines, lanes, relays, consumers. */
  readonly systemUrl: string;
  readonly entities?: readonly EntitySchema[];
  readonly applicationName: string;
  /** Connections per role; 10 when absent. */
  readonly poolSize?: number;
}

/** The two handles of a service's database. Only `libs` and adapters touch them; use cases get a transaction. */
export class DataSources {
  constructor(
    readonly scoped: DataSource,
    readonly system: DataSource,
  ) {}

  /** Connects both; waits up to 30 s for a database that is starting. Throws `unavailable` STORE_UNAVAILABLE after that. */
  async open(): Promise<this> {
    await openPatiently(this.scoped);
    await openPatiently(this.system);
    return this;
  }

  /** For readiness: rejects with `unavailable` STORE_UNAVAILABLE when the database does not answer. */
  async ping(): Promise<void> {
    await this.scoped.query('SELECT 1').catch((error: unknown) => {
      throw storeError(error);
    });
  }

  /** Closes both pools after their running queries. */
  async close(): Promise<void> {
    for (const db of [this.scoped, this.system]) if (db.isInitialized) await db.destroy();
  }

  /** Nest calls it when the application closes. */
  onModuleDestroy(): Promise<void> {
    return this.close();
  }
}

/** Builds the data sources without connecting; `await createDataSources(options).open()` connects. */
export function createDataSources(options: DataSourceOptions): DataSources {
  return new DataSources(dataSource(options.url, options, ''), dataSource(options.systemUrl, options, '-system'));
}

function dataSource(url: string, options: DataSourceOptions, suffix: string): DataSource {
  return new DataSource({
    type: 'postgres',
    driver: preparingDriver,
    url,
    applicationName: `${options.applicationName}${suffix}`,
    entities: [...(options.entities ?? [])],
    synchronize: false,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    poolSize: options.poolSize ?? POOL_SIZE,
    // A pooled connection that dies while idle is replaced at its next use; the statement that needs it reports the trouble.
    poolErrorHandler: () => undefined,
    extra: {
      // Statements of one transaction need not wait for each other's answers: see `inTransaction` and `write`.
      pipeline: true,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      idleTimeoutMillis: IDLE_CONNECTION_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
      keepAlive: true,
    },
  });
}

async function openPatiently(db: DataSource): Promise<void> {
  const giveUpAt = Date.now() + OPEN_PATIENCE_MS;
  while (!db.isInitialized) {
    try {
      await db.initialize();
    } catch (error) {
      if (!isUnavailable(error) || Date.now() >= giveUpAt) throw storeError(error);
      await sleep(OPEN_RETRY_MS);
    }
  }
}
