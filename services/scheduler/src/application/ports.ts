import type { Scope } from '@daya/kernel';
import type { Connectivity } from '../domain/connectivity';
import type { SchedulerEvent } from '../domain/events';
import type { Job, Task, TaskCounts } from '../domain/job';
import type { JobSpec, Secret } from '../domain/job-spec';
import type { LeaseTerms, Run, StopReason } from '../domain/lease';
import type { MarketNode, MarketOffer, Occupation } from '../domain/market';
import type { PricedQuote, Quote, QuotedTask } from '../domain/quote';
import type { Artifact, LeaseReport, ReportOutcome } from '../domain/report';
import type { JobState } from '../domain/states';

/** Everything one transaction may touch. Locks are taken in this order: range, job, task, run. */
export interface Transaction {
  readonly requests: Requests;
  readonly quotes: Quotes;
  readonly jobs: Jobs;
  readonly leases: Leases;
  readonly blobs: Blobs;
  readonly events: { append(events: readonly SchedulerEvent[]): Promise<void> };
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
  readonly content: string;
}

export interface Requests {
  /**
   * The short way for a request that is nearly always new: fails the transaction with `aborted` REQUEST_KNOWN when its id
   * was used before; `find` in another one then says what was answered.
   */
  claim(key: RequestKey, answer: string): Promise<void>;
  /**
   * Runs `work` once per request id and returns its answer, an id; every repetition gets the first one. Throws
   * `already-exists` REQUEST_ID_REUSED.
   */
  once(key: RequestKey, answer: string, work: () => Promise<void>): Promise<string>;
  /** The first answer, where there is one; a short cut, `once` decides. Throws `already-exists` REQUEST_ID_REUSED. */
  find(key: RequestKey): Promise<string | undefined>;
}

/** Secrets as they rest: sealed for one organisation; undefined when there are none. */
export type SealedSecrets = Uint8Array | undefined;

export interface Quotes {
  insert(quote: Quote, secrets: SealedSecrets): Promise<void>;
  find(quoteId: string): Promise<{ readonly quote: Quote; readonly secrets: SealedSecrets } | undefined>;
}

export interface Jobs {
  /** Throws `precondition` QUOTE_USED when another job was submitted under the quote. */
  insert(job: Job, secrets: SealedSecrets, holdPending: boolean): Promise<void>;
  insertTasks(job: Job, tasks: readonly Task[]): Promise<void>;
  /** Locks; undefined when the scope does not see it. */
  lock(jobId: string): Promise<Job | undefined>;
  /** Stores state, reason and end, and moves the version on. */
  save(jobs: readonly Job[]): Promise<void>;
  /** As `save`, for a job about whose money billing has answered; with its tasks when it waits for places now. */
  saveFunded(job: Job, tasks: readonly Task[]): Promise<void>;
  /** Queues those that are FUNDING still, at the version before the given one, with their tasks; returns the ids of their jobs. */
  queueFunded(funded: readonly { readonly job: Job; readonly tasks: readonly Task[] }[]): Promise<Set<string>>;
  lockTasks(jobId: string): Promise<Task[]>;
  saveTasks(tasks: readonly Task[]): Promise<void>;
  /** How far these jobs are, as their tasks and runs are stored. */
  progress(jobIds: readonly string[]): Promise<Map<string, StoredProgress>>;
  /** Whether billing's word about the job's money is still open; the job is locked. */
  isHoldPending(jobId: string): Promise<boolean>;
  settleHold(jobId: string): Promise<void>;
}

export interface StoredProgress {
  readonly counts: TaskCounts;
  readonly failedReason: string;
  /** Runs that have not ended. */
  readonly openRuns: number;
}

/** A run beside its task and job, all locked. */
export interface LockedRun {
  readonly run: Run;
  readonly task: Task;
  readonly job: Job;
}

export interface Leases {
  /** Locks the range for sharing. Throws `aborted` WRITER_FENCED when another writer has taken over. */
  requireRange(rangeId: bigint): Promise<void>;
  /** Locks those of the tasks that still wait for this very run, and their jobs; returns their ids. */
  lockQueued(tasks: readonly Pick<Task, 'taskId' | 'jobId' | 'runCount'>[]): Promise<Set<string>>;
  /** Inserts leases, runs and renewals and moves the tasks. Throws `aborted` WRITER_FENCED when a token, GPU or task is taken. */
  grant(terms: readonly LeaseTerms[], expireTime: Date): Promise<void>;
  lock(leaseIds: readonly string[]): Promise<LockedRun[]>;
  /** Locks the runs of a job that have not ended. */
  lockOpenOf(jobId: string): Promise<Run[]>;
  saveRuns(runs: readonly Run[]): Promise<void>;
  /** Leases of these jobs that have started, by job, in the order of their tasks and runs. */
  startedOf(jobIds: readonly string[]): Promise<Map<string, string[]>>;
  addArtifacts(run: Run, artifacts: readonly Artifact[]): Promise<void>;
  /** Outcomes of reports that were seen before. */
  seenReports(reports: readonly LeaseReport[]): Promise<Map<string, ReportOutcome>>;
  recordReports(reports: readonly RecordedReport[]): Promise<void>;
  /** Stores renewals and returns the leases of which an event must tell, with its version. */
  renew(
    renewals: readonly { readonly leaseId: string; readonly expireTime: Date }[],
  ): Promise<{ leaseId: string; expireTime: Date; version: bigint }[]>;
}

export interface RecordedReport {
  readonly report: LeaseReport;
  readonly outcome: ReportOutcome;
  readonly reason: string;
}

export const reportKey = (report: Pick<LeaseReport, 'nodeId' | 'reportId'>): string =>
  `${report.nodeId} ${report.reportId}`;

export interface Blobs {
  add(organisationId: string, sha256: string, bytes: bigint): Promise<void>;
}

/** A task that waits for a place. */
export interface WaitingTask {
  readonly task: Task;
  readonly job: Job;
  /** Of a job that has just arrived: its secrets are at hand. */
  readonly sealed?: { readonly secrets: SealedSecrets };
}

/** A lease that holds GPUs, as a new writer finds it. */
export interface OpenLease {
  readonly run: Run;
  readonly occupation: Occupation;
}

/** What is known of a node's connectivity. */
export interface Heard {
  readonly nodeId: string;
  readonly connectivity: Connectivity;
  readonly sinceTime: Date;
}

export interface JobView {
  readonly job: Job;
  readonly tasks: readonly TaskView[];
}

export interface TaskView {
  readonly task: Task;
  readonly runs: readonly Run[];
  readonly artifacts: readonly Artifact[];
}

export interface JobFilter {
  readonly projectId: string | undefined;
  readonly state: JobState | undefined;
  readonly limit: number;
  /** Jobs before this one, newest first. */
  readonly before: { readonly createTime: Date; readonly jobId: string } | undefined;
}

/** All that an agent needs to run a task; secrets are opened just for it. */
export interface OfferFacts {
  readonly run: Run;
  readonly spec: JobSpec;
  readonly secrets: SealedSecrets;
  /** For the final task: the artifacts of the others. */
  readonly earlier: readonly (Artifact & { readonly taskIndex: number })[];
}

/** Reads. A scope sees its own organisation's rows, `system` all. */
export abstract class JobQueries {
  abstract job(scope: Scope, jobId: string): Promise<JobView | undefined>;
  /** The version alone; undefined when the scope does not see the job. */
  abstract version(scope: Scope, jobId: string): Promise<bigint | undefined>;
  abstract jobs(scope: Scope, filter: JobFilter): Promise<Job[]>;
  abstract artifact(scope: Scope, jobId: string, taskIndex: number, path: string): Promise<Artifact | undefined>;
  /** Undefined when the organisation neither uploaded it nor has a job that made it; else its size. */
  abstract blob(organisationId: string, sha256: string): Promise<bigint | undefined>;
  abstract offers(leaseIds: readonly string[]): Promise<OfferFacts[]>;
}

/** Reads that rebuild the market in memory and keep it true. */
export abstract class MarketQueries {
  abstract nodes(): Promise<MarketNode[]>;
  abstract offers(): Promise<MarketOffer[]>;
  abstract liveness(): Promise<Heard[]>;
  abstract openLeases(): Promise<OpenLease[]>;
  abstract highestTokens(): Promise<Map<string, bigint>>;
  /** Oldest first; only those queued since then, when given. */
  abstract waitingTasks(filter: { readonly since?: Date }): Promise<WaitingTask[]>;
  abstract stopOrders(): Promise<{ leaseId: string; stopReason: StopReason }[]>;
  /** Jobs whose money billing has not answered for since then. */
  abstract holdsPending(before: Date, limit: number): Promise<Job[]>;
  abstract saveLiveness(nodes: readonly Heard[]): Promise<void>;
}

export abstract class Billing {
  /** Prices a quote's tasks and signs the result; nothing is stored. Throws `unavailable`, or billing's refusal. */
  abstract priceQuote(quoteId: string, organisationId: string, tasks: readonly QuotedTask[]): Promise<PricedQuote>;
  /** Sets the money aside; may be repeated. Throws `precondition` INSUFFICIENT_FUNDS, `unavailable`, or another refusal. */
  abstract placeHold(jobId: string, organisationId: string, priced: PricedQuote): Promise<void>;
  /** Gives back what is held for a job that will never run; may be repeated. */
  abstract releaseHold(jobId: string): Promise<void>;
}

export abstract class Projects {
  /** Throws `not-found` PROJECT_NOT_FOUND when the organisation has no such project. */
  abstract require(organisationId: string, projectId: string): Promise<void>;
}

export abstract class NodeRegistry {
  /**
   * Tells the registry whom the scheduler hears, up to 100 nodes; the same request id and nodes may be told again. Throws
   * when it does not answer, or `signal` aborts.
   */
  abstract reportConnectivity(requestId: string, nodes: readonly Heard[], signal: AbortSignal): Promise<void>;
}

export abstract class SecretBox {
  /** Encrypts for one organisation; undefined when there is nothing to keep. */
  abstract seal(organisationId: string, secrets: readonly Secret[]): SealedSecrets;
  abstract open(organisationId: string, sealed: SealedSecrets): readonly Secret[];
  /** Tells equal secrets from different ones without revealing them. */
  abstract digest(secrets: readonly Secret[]): string;
}

export interface Ring {
  readonly leaseId: string;
  readonly nodeId: string;
  /** How often it was rung before. */
  readonly attempt: number;
}

export abstract class Doorbell {
  /** Wakes dispatch for these leases. Never throws: what is lost is rung again by the sweep. */
  abstract ring(rings: readonly Ring[]): Promise<void>;
}

export abstract class TraceKeeper {
  /** The same work, for somebody else to run: what it tells of belongs to the trace of this call. */
  abstract keep<A extends unknown[], R>(work: (...given: A) => R): (...given: A) => R;
}

export abstract class JobFeed {
  /** Called after the commit of every change of a job. */
  abstract changed(jobIds: Iterable<string>): void;
  /** Resolves at the next change of the job that this process sees, or after `ms`, or when the signal aborts. */
  abstract wait(jobId: string, ms: number, signal: AbortSignal): Promise<void>;
}
