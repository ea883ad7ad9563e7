import type { ScopedTransactions } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { Store, type Transaction } from '../../application/ports';
import { PostgresLeases } from './postgres-leases';
import { PostgresNodes } from './postgres-nodes';
import { PostgresTicks } from './postgres-ticks';
import { PostgresUsage } from './postgres-usage';

export class PostgresStore extends Store {
  constructor(private readonly transactions: ScopedTransactions) {
    super();
  }

  override transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.transactions.run('system', (em) => work(bindTransaction(em)));
  }
}

/** The ports of one open transaction; consumers bind the one that their inbox row is in. */
export function bindTransaction(em: EntityManager): Transaction {
  return {
    leases: new PostgresLeases(em),
    ticks: new PostgresTicks(em),
    nodes: new PostgresNodes(em),
    usage: new PostgresUsage(em),
  };
}
