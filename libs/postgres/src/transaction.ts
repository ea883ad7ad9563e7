import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { isRetriable, isStalePlan, isUnavailable, storeError } from './database-errors';
import { openFor, PendingWrites } from './writes';

const TRIES = 5;
const BACKOFF_MS = 10;
/** Each costs its connection, and pools are smaller. */
const STALE_CONNECTIONS_MAX = 50;

export type Isolation = 'READ COMMITTED' | 'REPEATABLE READ' | 'SERIALIZABLE';

export interface TransactionOptions {
  readonly isolation?: Isolation;
  /** A statement that opens the transaction, together with its start; nobody's words may be in it. */
  readonly opening?: string;
}

/**
 * Runs `work` in one transaction. Serialization failures and deadlocks are run again, at most 5 times with jitter, so
 * `work` must have no effects outside the database. Throws what `work` throws; a lost connection as `unavailable`
 * STORE_UNAVAILABLE (the commit may then have happened: retry with the same request id or read back). `work` uses
 * `em.query` only: TypeORM does not know of the transaction, since its way of starting one takes two or three statements.
 */
export async function inTransaction<T>(
  db: DataSource,
  work: (em: EntityManager) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  for (let attempt = 1, stale = 0; ; attempt += 1) {
    try {
      return await runOnce(db, work, options);
    } catch (error) {
      if (isStalePlan(error) && (stale += 1) <= STALE_CONNECTIONS_MAX) continue;
      if (attempt >= TRIES || !isRetriable(error)) throw storeError(error);
      await sleep(Math.random() * BACKOFF_MS * 2 ** attempt);
    }
  }
}

/**
 * The start, writes and the commit are sent without waiting for the answer of the statement before: a round trip to
 * Postgres costs more than most statements. A statement that fails makes Postgres refuse all later ones and the commit.
 */
async function runOnce<T>(
  db: DataSource,
  work: (em: EntityManager) => Promise<T>,
  { isolation = 'READ COMMITTED', opening }: TransactionOptions,
): Promise<T> {
  const runner = db.createQueryRunner();
  const send = runner.query.bind(runner) as (sql: string) => Promise<unknown>;
  const writes = new PendingWrites();
  let isEnding = false;
  try {
    // From here on statements leave in the order in which they are asked for.
    await runner.connect();
    openFor(runner.manager, writes);
    const start = `START TRANSACTION ISOLATION LEVEL ${isolation}`;
    writes.add(send(opening === undefined ? start : `${start}; ${opening}`));
    const result = await work(runner.manager);
    isEnding = true;
    runner.query = refuseLate;
    writes.add(send('COMMIT'));
    await writes.settled();
    return result;
  } catch (error) {
    runner.query = refuseLate;
    const cause = (await writes.cause()) ?? error;
    const isOver = !isUnavailable(cause) && (isEnding || (await succeeds(send('ROLLBACK'))));
    if (!isOver) await endConnection(runner);
    throw withoutParameters(cause);
  } finally {
    await runner.release();
  }
}

/** A statement that nobody waited for and that comes when the transaction is over would run in none. */
const refuseLate = (): Promise<never> => Promise.reject(new Error('the transaction is over'));

const succeeds = (answer: Promise<unknown>): Promise<boolean> =>
  answer.then(
    () => true,
    () => false,
  );

/**
 * A connection whose query timed out, or whose ROLLBACK failed, may still be inside the transaction: in the pool it would
 * commit these writes together with a stranger's.
 */
async function endConnection(runner: QueryRunner): Promise<void> {
  if (runner.isReleased) return;
  const connection = (await runner.connect().catch(() => undefined)) as { end(): Promise<void> } | undefined;
  void connection?.end().catch(() => undefined);
}

/** TypeORM hangs a statement's values on its error, and loggers print them: names, secrets, payloads. */
function withoutParameters(error: unknown): unknown {
  if (typeof error === 'object' && error !== null && 'parameters' in error)
    Object.assign(error, { parameters: undefined });
  return error;
}
