import type { Scope } from '@daya/kernel';
import type { EntityManager } from 'typeorm';
import type { DataSources } from './data-sources';
import { inTransaction, type TransactionOptions } from './transaction';

/**
 * The only way to rows. An organisation's scope runs on the role under row-level security and sees that organisation's
 * rows; `system` runs on the BYPASSRLS role. A query outside `run` on the scoped role sees nothing.
 */
export class ScopedTransactions {
  constructor(private readonly sources: DataSources) {}

  /** One transaction, retried and reported as `inTransaction` says. */
  run<T>(
    scope: Scope,
    work: (em: EntityManager) => Promise<T>,
    options: Pick<TransactionOptions, 'isolation'> = {},
  ): Promise<T> {
    if (scope === 'system') return inTransaction(this.sources.system, work, options);
    const begin = async (em: EntityManager): Promise<void> => {
      await em.query(`SELECT set_config('app.organisation', $1, true)`, [scope.organisationId]);
    };
    return inTransaction(this.sources.scoped, work, { ...options, begin });
  }
}
