import type { Scope } from '@daya/kernel';
import { appendEvents } from '@daya/messaging';
import type { ScopedTransactions } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { InvoiceIds, Store, type Transaction } from '../../application/ports';
import { toOutboxEvent } from '../proto/events';
import { invoiceIdOf } from '../derive-id';
import { PostgresJobs } from './postgres-jobs';
import { PostgresLeases } from './postgres-leases';
import { PostgresLedger } from './postgres-ledger';
import { PostgresNotes } from './postgres-notes';
import { PostgresRequests } from './postgres-requests';

export class PostgresStore extends Store {
  constructor(private readonly transactions: ScopedTransactions) {
    super();
  }

  override transaction<T>(scope: Scope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.transactions.run(scope, (em) => work(bindTransaction(em)));
  }
}

/** The ports of one open transaction; consumers bind the one that their inbox row is in. */
export function bindTransaction(em: EntityManager): Transaction {
  return {
    requests: new PostgresRequests(em),
    leases: new PostgresLeases(em),
    jobs: new PostgresJobs(em),
    notes: new PostgresNotes(em),
    ledger: new PostgresLedger(em),
    events: { append: (events) => appendEvents(em, events.map(toOutboxEvent)) },
  };
}

export class DerivedInvoiceIds extends InvoiceIds {
  override invoiceIdOf(jobId: string): string {
    return invoiceIdOf(jobId);
  }
}
