import type { IdGenerator, Scope } from '@daya/kernel';
import { once, type ScopedTransactions } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { Store, type RequestKey, type Requests, type Transaction } from '../../application/ports';
import { answerCodec, fingerprintOf } from './answer-codec';
import { PostgresEvents } from './postgres-events';
import { PostgresFleet } from './postgres-fleet';
import { PostgresKeys } from './postgres-keys';
import { PostgresMarket } from './postgres-market';
import { PostgresTenants } from './postgres-tenants';

export class PostgresStore extends Store {
  constructor(
    private readonly transactions: ScopedTransactions,
    private readonly ids: IdGenerator,
  ) {
    super();
  }

  override transaction<T>(scope: Scope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.transactions.run(scope, (em) => work(transactionOn(em, this.ids)));
  }
}

/** Everything of one transaction on one handle; consumers make theirs from the handle that the inbox gives them. */
export const transactionOn = (em: EntityManager, ids: IdGenerator): Transaction => ({
  requests: new PostgresRequests(em),
  tenants: new PostgresTenants(em),
  keys: new PostgresKeys(em),
  fleet: new PostgresFleet(em),
  market: new PostgresMarket(em),
  events: new PostgresEvents(em, ids),
});

class PostgresRequests implements Requests {
  constructor(private readonly em: EntityManager) {}

  once<T>({ content, ...key }: RequestKey, work: () => Promise<T>): Promise<T> {
    return once(this.em, { ...key, fingerprint: fingerprintOf(content) }, work, answerCodec<T>());
  }
}
