import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, EntityManager, QueryRunner } from 'typeorm';
import { isRetriable, isStalePlan, isUnavailable, storeError } from './database-errors';

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

async function runOnce<T>(
  db: DataSource,
  work: (em: EntityManager) => Promise<T>,
  options: TransactionOptions,
): Promise<T> {
  const { isolation = 'READ COMMITTED', opening } = options;
  const runner = db.createQueryRunner();
  try {
    const start = `START TRANSACTION ISOLATION LEVEL ${isolation}`;
    await runner.query(opening === undefined ? start : `${start}; ${opening}`);
    const result = await work(runner.manager);
    await runner.query('COMMIT');
    return result;
  } catch (error) {
    await rollback(runner, error);
    throw withoutParameters(error);
  } finally {
    await runner.release();
  }
}

/**
 * A connection whose query timed out, or whose ROLLBACK failed, may still be inside the transaction: in the pool it would
 * commit these writes together with a stranger's. It is closed instead.
 */
async function rollback(runner: QueryRunner, cause: unknown): Promise<void> {
  if (runner.isReleased) return;
  const broken = isUnavailable(cause) || !(await rolledBack(runner));
  if (!broken) return;
  const connection = (await runner.connect().catch(() => undefined)) as { end(): Promise<void> } | undefined;
  void connection?.end().catch(() => undefined);
}

const rolledBack = (runner: QueryRunner): Promise<boolean> =>
  runner.query('ROLLBACK').then(
    () => true,
    () => false,
  );

/** TypeORM hangs a statement's values on its error, and loggers print them: names, secrets, payloads. */
function withoutParameters(error: unknown): unknown {
  if (typeof error === 'object' && error !== null && 'parameters' in error)
    Object.assign(error, { parameters: undefined });
  return error;
}
