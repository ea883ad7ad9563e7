import { DomainError, notFound, refuseInvalid, type Caller, type FoundViolation } from '@daya/kernel';
import type { Job } from '../domain/job';
import type { JobSpecInput } from '../domain/job-spec';
import { validateSpec } from '../domain/validate-spec';
import { Violations } from '../domain/violations';
import { contentOf, memberOf, requireRequestId } from './caller';
import type { FundedJob, FundJob, QuotedWork } from './fund-job';
import type { QuoteMaker } from './get-quote';
import type { MarketState } from './market-state';
import type { Projects, RequestKey, SecretBox, Store, Transaction } from './ports';

export interface SubmitJobCommand {
  readonly requestId: string;
  readonly projectId: string;
  readonly quoteId: string;
  readonly spec: JobSpecInput | undefined;
}

/** What a job is made of; `insert` stores the quote where the submission made it itself. */
interface Submission {
  readonly organisationId: string;
  readonly key: RequestKey;
  prepare(tx: Transaction): Promise<QuotedWork>;
}

interface Submitted {
  readonly job: Job;
  /** Undefined when the job was there before. */
  readonly quoted: QuotedWork | undefined;
}

/** Turns a submission into quoted work: of a quote from before, or of one made now. */
export class SubmissionReader {
  constructor(
    private readonly store: Store,
    private readonly projects: Projects,
    private readonly quotes: QuoteMaker,
    private readonly box: SecretBox,
  ) {}

  /** Throws `invalid`, `not-found` PROJECT_NOT_FOUND, `precondition` NO_FEASIBLE_OFFER, `already-exists` REQUEST_ID_REUSED. */
  async read(caller: Caller, command: SubmitJobCommand): Promise<Submission> {
    const { organisationId } = memberOf(caller);
    const found = violationsOf(command);
    if (command.spec === undefined) {
      refuseInvalid(found);
      return this.ofQuote(organisationId, command);
    }
    const { spec, secrets } = validateSpec(command.spec, found);
    await this.projects.require(organisationId, command.projectId);
    const content = contentOf({ projectId: command.projectId, spec, secrets: this.box.digest(secrets) });
    const key = keyOf(organisationId, command, content);
    const quote = await this.quotes
      .make(organisationId, command.projectId, spec)
      .catch((error: unknown) => this.unlessKnown(key, error));
    if (quote === undefined)
      return { organisationId, key, prepare: () => Promise.reject(new Error('a known request is not prepared')) };
    const sealed = this.box.seal(organisationId, secrets);
    const prepare = async (tx: Transaction): Promise<QuotedWork> => {
      await tx.quotes.insert(quote, sealed);
      return { quote, secrets: sealed };
    };
    return { organisationId, key, prepare };
  }

  /** What no offer runs today may be a request that was answered before: its answer stands. */
  private async unlessKnown(key: RequestKey, error: unknown): Promise<undefined> {
    const known = await this.store.transaction({ organisationId: key.scope }, (tx) => tx.requests.find(key));
    if (known === undefined) throw error;
  }

  private ofQuote(organisationId: string, command: SubmitJobCommand): Submission {
    const key = keyOf(organisationId, command, contentOf({ projectId: command.projectId, quoteId: command.quoteId }));
    const prepare = async (tx: Transaction): Promise<QuotedWork> => {
      const found = await tx.quotes.find(command.quoteId);
      if (!found || (command.projectId !== '' && found.quote.projectId !== command.projectId))
        throw notFound('quote', command.quoteId);
      return found;
    };
    return { organisationId, key, prepare };
  }
}

/**
 * Stores a job as FUNDING, then has its money set aside and queues it. The answer to a request id follows from its job:
 * FUNDING is tried again, REJECTED repeats its refusal, everything else is the job. Throws `precondition`
 * INSUFFICIENT_FUNDS, QUOTE_EXPIRED, QUOTE_USED; `unavailable` while billing does not answer (send it again). Returns the
 * tasks too where this call queued them.
 */
export class SubmitJob {
  constructor(
    private readonly store: Store,
    private readonly reader: SubmissionReader,
    private readonly fund: FundJob,
    private readonly state: MarketState,
  ) {}

  async execute(caller: Caller, command: SubmitJobCommand, nextId: () => string): Promise<FundedJob> {
    const submission = await this.reader.read(caller, command);
    const scope = { organisationId: submission.organisationId };
    const newId = nextId();
    const { job, quoted } = await this.store
      .transaction(scope, (tx) => this.insert(tx, submission, newId))
      .catch((error: unknown) => {
        if (!isKnownRequest(error)) throw error;
        return this.store.transaction(scope, (tx) => this.find(tx, submission));
      });
    const funded = job.state === 'FUNDING' ? await this.fund.execute(job, quoted) : { job, tasks: [] };
    const { state, reason, jobId } = funded.job;
    if (state === 'REJECTED') throw new DomainError('precondition', reason, 'the job was rejected', { job_id: jobId });
    return funded;
  }

  /** In one go: nearly every submission is new. */
  private async insert(tx: Transaction, submission: Submission, jobId: string): Promise<Submitted> {
    const now = this.state.now();
    await tx.requests.claim(submission.key, jobId);
    const quoted = await submission.prepare(tx);
    const { quote, secrets } = quoted;
    if (quote.expireTime <= now)
      throw new DomainError('precondition', 'QUOTE_EXPIRED', 'the quote has expired', { quote_id: quote.quoteId });
    const job: Job = {
      jobId,
      organisationId: submission.organisationId,
      projectId: quote.projectId,
      state: 'FUNDING',
      spec: quote.spec,
      quoteId: quote.quoteId,
      quoteMicros: quote.priced.totalMicros,
      reason: '',
      canaryNodeId: '',
      createTime: now,
      endTime: undefined,
      version: 1n,
    };
    await tx.jobs.insert(job, secrets, true);
    return { job, quoted };
  }

  private async find(tx: Transaction, { key }: Submission): Promise<Submitted> {
    const jobId = await tx.requests.find(key);
    const job = jobId === undefined ? undefined : await tx.jobs.lock(jobId);
    if (!job) throw new Error(`the job of request ${key.requestId} is gone`);
    return { job, quoted: undefined };
  }
}

const isKnownRequest = (error: unknown): boolean => error instanceof DomainError && error.reason === 'REQUEST_KNOWN';

const keyOf = (organisationId: string, { requestId }: SubmitJobCommand, content: string): RequestKey => ({
  scope: organisationId,
  method: 'SubmitJob',
  requestId,
  content,
});

/** What is wrong around the specification; with neither it nor a quote, or with both, something is. */
function violationsOf({ requestId, projectId, quoteId, spec }: SubmitJobCommand): readonly FoundViolation[] {
  const found = new Violations();
  requireRequestId(found, requestId);
  const one = (quoteId === '') !== (spec === undefined);
  found.check('quote_id', one || spec !== undefined, 'REQUIRED', 'one of quote_id and spec must be set');
  found.check('spec', one || spec === undefined, 'CONFLICT', 'only one of quote_id and spec may be set');
  if (quoteId !== '') found.uuid('quote_id', quoteId);
  if (quoteId === '' || projectId !== '') found.uuid('project_id', projectId);
  return found.list;
}
