import { isUuid, type Scope } from '@daya/kernel';
import type { EntityManager } from 'typeorm';
import type { DataSources } from './data-sources';
import { storeError } from './database-errors';
import { inTransaction, type TransactionOptions } from './transaction';

/**
 * The only way to rows. An organisation's scope runs on the role under row-level security and sees that organisation's
 * rows; `system` runs on the BYPASSRLS role. A query outside `run` on the scoped role sees nothing.
 */
export class ScopedTransactions {
  constructor(private readonly sources: DataSources) {}

  /** One statement that reads as `system`, which needs no transaction around it. Throws as `run`. */
  read<Row>(sql: string, values: readonly unknown[]): Promise<Row[]> {
    return this.sources.system.query<Row[]>(sql, [...values]).catch((error: unknown) => {
      throw storeError(error);
    });
  }

  /** One transaction, retried and reported as `inTransaction` says. */
  run<T>(
    scope: Scope,
    work: (em: EntityManager) => Promise<T>,
    options: Pick<TransactionOptions, 'isolation'> = {},
  ): Promise<T> {
    if (scope === 'system') return inTransaction(this.sources.system, work, options);
    // Not a value of a statement, so that it travels with the transaction's start: therefore nothing but a UUID passes.
    if (!isUuid(scope.organisationId)) return Promise.reject(new Error('an organisation’s id must be a UUID'));
    const opening = `SELECT set_config('app.organisation', '${scope.organisationId}', true)`;
    return inTransaction(this.sources.scoped, work, { ...options, opening });
  }
}
