import { notFound, scopeOf, type Caller } from '@daya/kernel';
import type { Hold } from '../domain/hold';
import type { Invoice } from '../domain/statement';
import type { AccountBalance, BillingQueries, JobStatement, Page, PageRequest, PostedTransfer } from './ports';

/** What a caller may see of the ledger: their own organisation's part; a foreign object looks like a missing one. */
export class ReadBilling {
  constructor(private readonly queries: BillingQueries) {}

  async hold(caller: Caller, jobId: string): Promise<Hold> {
    return found(await this.queries.hold(scopeOf(caller), jobId), 'hold', jobId);
  }

  async statement(caller: Caller, jobId: string): Promise<JobStatement> {
    return found(await this.queries.statement(scopeOf(caller), jobId), 'job', jobId);
  }

  async invoice(caller: Caller, invoiceId: string): Promise<Invoice> {
    return found(await this.queries.invoice(scopeOf(caller), invoiceId), 'invoice', invoiceId);
  }

  invoices(caller: Caller, jobId: string, page: PageRequest): Promise<Page<Invoice>> {
    return this.queries.invoices(scopeOf(caller), jobId, page);
  }

  /** An operator sees every transfer: the platform's own accounts are on one side of almost all of them. */
  transfers(caller: Caller, page: PageRequest): Promise<Page<PostedTransfer>> {
    return this.queries.transfers(scopeOf(caller), page);
  }

  /** The caller's own accounts when no organisation is named; only an operator may name another's. */
  async balances(caller: Caller, organisationId: string): Promise<readonly AccountBalance[]> {
    const own = caller.kind === 'member' ? caller.organisationId : '';
    const asked = organisationId === '' ? own : organisationId;
    if (asked !== own && scopeOf(caller) !== 'system') throw notFound('organisation', asked);
    return this.queries.balances(scopeOf(caller), asked);
  }

  /** The operator's proof that every asset sums to zero; the RPC's role rule lets nobody else in. */
  trialBalance(page: PageRequest): ReturnType<BillingQueries['trialBalance']> {
    return this.queries.trialBalance(page);
  }
}

function found<T>(value: T | undefined, noun: string, id: string): T {
  if (value === undefined) throw notFound(noun, id);
  return value;
}
