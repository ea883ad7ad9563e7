import type { Scope } from '@daya/kernel';
import type { Account } from '../domain/account';
import type { LeaseTerms, UsageWindow } from '../domain/charge';
import type { BillingEvent } from '../domain/events';
import type { Hold } from '../domain/hold';
import type { Note } from '../domain/note';
import type { PricedQuote } from '../domain/quote';
import type { JobFacts, Settlement } from '../domain/settlement';
import type { Invoice, IssuedNote, RunCharge } from '../domain/statement';
import type { Transfer } from '../domain/transfer';

/** Everything one transaction may touch. Locks are taken in this order: lease, job, balances; a job's lock covers all its leases. */
export interface Transaction {
  readonly requests: Requests;
  readonly leases: Leases;
  readonly jobs: Jobs;
  readonly notes: Notes;
  readonly ledger: Ledger;
  readonly events: { append(events: readonly BillingEvent[]): Promise<void> };
}

export abstract class Store {
  /** One transaction; run again on deadlocks. Throws `unavailable` STORE_UNAVAILABLE when the database does not answer. */
  abstract transaction<T>(scope: Scope, work: (tx: Transaction) => Promise<T>): Promise<T>;
}

export interface RequestKey {
  /** Whose request ids these are: an organisation, or a service. */
  readonly scope: string;
  readonly method: string;
  readonly requestId: string;
  /** All that makes two requests the same. */
  readonly content: readonly (string | number | bigint)[];
}

export interface Requests {
  /** The short way for a request that is nearly always new: fails the transaction with `aborted` REQUEST_KNOWN when it is not. */
  claim<T>(key: RequestKey, answer: T): Promise<void>;
  /** Runs `work` once per request id and gives every repetition the first answer. Throws `already-exists` REQUEST_ID_REUSED. */
  once<T>(key: RequestKey, work: () => Promise<T>): Promise<T>;
  /** As `once`, where the answer is known before the work. */
  onceAs<T>(key: RequestKey, answer: T, work: () => Promise<void>): Promise<T>;
}

export interface Leases {
  /** Locks a lease, also one never heard of; returns its job when its terms are known. */
  lock(leaseId: string): Promise<{ readonly jobId: string | undefined; readonly isNew: boolean }>;
  /** Stores the terms of a lease that has none. The job's row must exist. */
  saveTerms(terms: LeaseTerms): Promise<void>;
  /** Stores start and end where they are news: what was told first stands. */
  saveCourse(leaseId: string, course: LeaseCourse): Promise<void>;
  /** Adds a window that waits to be charged; false when it was here before. */
  addUsage(usage: RecordedUsage): Promise<boolean>;
}

/** How a lease went, as far as one event says it. */
export interface LeaseCourse {
  readonly startTime: Date | undefined;
  readonly end?: { readonly endTime: Date; readonly waivedReason: string };
}

export interface RecordedUsage extends UsageWindow {
  readonly startTime: Date;
  readonly endTime: Date;
  readonly version: number;
  readonly billableMs: bigint;
  readonly final: boolean;
}

export interface BilledJob {
  readonly jobId: string;
  /** Empty while only a release has been heard of the job. */
  readonly payerId: string;
  readonly hold: Hold | undefined;
  readonly finished: boolean;
}

export interface Jobs {
  /** Locks a job, also one never heard of. `payerId` is stored when the job is new. */
  lock(jobId: string, payerId: string | undefined): Promise<BilledJob>;
  /** Stores a job of which nothing was heard before, with its hold; fails the transaction with `aborted` JOB_KNOWN otherwise. */
  insertWithHold(hold: Hold): Promise<void>;
  saveHold(hold: Hold): Promise<void>;
  hasStartedLeases(jobId: string): Promise<boolean>;
  finish(jobId: string, startedLeaseIds: readonly string[], finishTime: Date): Promise<void>;
  /** What matters for settling a job that is locked. */
  facts(jobId: string): Promise<JobFacts>;
  /** Writes what follows from the facts, except for ledger rows and events. */
  record(facts: JobFacts, settlement: Settlement, now: Date): Promise<void>;
  /** Every run of the job that started, and what it cost. */
  runs(jobId: string): Promise<RunCharge[]>;
  addInvoice(invoice: Invoice): Promise<void>;
}

export interface Notes {
  /** Adds notes to the invoice of their job, and to what their leases cost. */
  add(
    notes: readonly Note[],
    of: { readonly jobId: string; readonly invoiceId: string; readonly issueTime: Date },
  ): Promise<void>;
}

/** A transfer as it is shown. */
export interface PostedTransfer {
  readonly transferId: string;
  readonly debitCode: string;
  readonly creditCode: string;
  readonly asset: string;
  readonly amount: bigint;
  readonly kind: Transfer['kind'];
  readonly pendingId: string;
  readonly cause: string;
  readonly createTime: Date;
}

export interface Ledger {
  /**
   * Writes transfers and moves the balances they touch. Throws `precondition` INSUFFICIENT_FUNDS when an account would fall
   * below its floor, `already-exists` TRANSFER_EXISTS when one of them was written before.
   */
  post(transfers: readonly Transfer[]): Promise<void>;
  /**
   * What an account has available, in its smallest unit. Locks every balance that `transfers` touch, in the order in which
   * posting them locks, so the answer holds until this transaction ends.
   */
  available(account: Account, transfers: readonly Transfer[]): Promise<bigint>;
  /** A transfer written in this transaction. */
  read(transfer: Transfer): Promise<PostedTransfer>;
}

export abstract class QuoteSigner {
  abstract sign(quote: PricedQuote): Uint8Array;
  /** False for a quote that this service did not sign exactly so. */
  abstract verify(quote: SignedQuote): boolean;
}

export interface SignedQuote extends PricedQuote {
  readonly signature: Uint8Array;
}

export abstract class InvoiceIds {
  /** The id of a job's only invoice. */
  abstract invoiceIdOf(jobId: string): string;
}

export interface AccountBalance {
  readonly code: string;
  readonly asset: string;
  readonly posted: bigint;
  readonly held: bigint;
}

export interface JobStatement {
  readonly jobId: string;
  readonly payerId: string;
  readonly heldMicros: bigint;
  readonly releasedMicros: bigint;
  /** What each run costs, after notes. */
  readonly runs: readonly RunCharge[];
  /** Corrections since the job was settled, oldest first. */
  readonly notes: readonly IssuedNote[];
  readonly settled: boolean;
}

/** A page and where the next one starts; no `next` on the last. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: Record<string, string> | undefined;
}

export interface PageRequest {
  readonly size: number;
  readonly after: Readonly<Record<string, string>> | undefined;
}

/** Reads for screens. A scope sees its own organisation's rows; `system` sees all. */
export abstract class BillingQueries {
  abstract hold(scope: Scope, jobId: string): Promise<Hold | undefined>;
  abstract statement(scope: Scope, jobId: string): Promise<JobStatement | undefined>;
  abstract invoice(scope: Scope, invoiceId: string): Promise<Invoice | undefined>;
  /** Newest first; of one job unless `jobId` is empty. */
  abstract invoices(scope: Scope, jobId: string, page: PageRequest): Promise<Page<Invoice>>;
  /** Newest first. */
  abstract transfers(scope: Scope, page: PageRequest): Promise<Page<PostedTransfer>>;
  abstract balances(scope: Scope, organisationId: string): Promise<readonly AccountBalance[]>;
  /** Every account, and the sum of all per asset. */
  abstract trialBalance(
    page: PageRequest,
  ): Promise<Page<AccountBalance> & { readonly sums: readonly { readonly asset: string; readonly amount: bigint }[] }>;
}
