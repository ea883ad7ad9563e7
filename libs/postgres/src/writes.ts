import type { DomainError } from '@daya/kernel';
import type { EntityManager } from 'typeorm';
import { constraintError, sqlState } from './database-errors';

const TRANSACTION_ABORTED = '25P02';

/** The statements of one transaction that were sent and whose answers nobody has waited for yet. */
export class PendingWrites {
  private readonly answers: Promise<unknown>[] = [];

  add(answer: Promise<unknown>): void {
    answer.catch(() => undefined);
    this.answers.push(answer);
  }

  /** Waits for all answers; rejects as the first statement that failed. */
  async settled(): Promise<void> {
    for (const answer of this.answers) await answer;
  }

  /** Why the transaction failed, as far as these statements know: not those that failed because another one had. */
  async cause(): Promise<unknown> {
    const results = await Promise.allSettled(this.answers);
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    return reasons.find((reason) => sqlState(reason) !== TRANSACTION_ABORTED);
  }
}

const OPEN = new WeakMap<EntityManager, PendingWrites>();

export const openFor = (em: EntityManager, writes: PendingWrites): void => void OPEN.set(em, writes);

/**
 * Sends a statement of an open transaction whose answer nobody needs, and does not wait: Postgres works on it while the
 * transaction goes on, and the commit follows at its heels. Its failure fails the transaction, as the refusal that the map
 * names for the violated constraint. Throws outside of `inTransaction`.
 */
export function write(
  em: EntityManager,
  sql: string,
  values: readonly unknown[] = [],
  refusals: Readonly<Record<string, () => DomainError>> = {},
): Promise<void> {
  const writes = OPEN.get(em);
  if (writes === undefined) throw new Error('a write needs a transaction');
  writes.add(
    em.query(sql, [...values]).catch((error: unknown) => {
      throw constraintError(error, refusals);
    }),
  );
  return Promise.resolve();
}
