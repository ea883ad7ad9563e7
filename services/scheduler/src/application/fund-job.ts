import { DomainError, type IdGenerator } from '@daya/kernel';
import { newTasks, type Job, type Task } from '../domain/job';
import type { Quote } from '../domain/quote';
import { JOB_NEXT, moved } from '../domain/states';
import type { MarketState } from './market-state';
import type { Billing, SealedSecrets, Store, TraceKeeper, Transaction } from './ports';

/** A job whose money was asked for; the tasks that this very call queued, none when another one had. */
export interface FundedJob {
  readonly job: Job;
  readonly tasks: readonly Task[];
}

/** What a new job was made of. */
export interface QuotedWork {
  readonly quote: Quote;
  readonly secrets: SealedSecrets;
}

/** What billing said about the money: set aside, or why not. */
type Funding = { readonly held: true } | { readonly held: false; readonly reason: string };

/**
 * Sets a FUNDING job's money aside and queues it, or rejects it. Any number of calls may race: billing answers one job id
 * once, and the job's row decides. A cancel that came first wins, and what was held for it is released. Throws
 * `unavailable` while billing does not answer: the job stays as it is and the sweep asks again.
 */
export class FundJob {
  constructor(
    private readonly store: Store,
    private readonly billing: Billing,
    private readonly state: MarketState,
    private readonly ids: IdGenerator,
    private readonly traces: TraceKeeper,
  ) {}

  /** `known`: of a job that is stored for the first time. Later attempts do without the writer, whom one job must not hold up. */
  async execute(job: Job, known?: QuotedWork): Promise<FundedJob> {
    const { priced, tasks: quoted } = known?.quote ?? (await this.quoteOf(job));
    const funding = await this.placeHold(job, priced);
    const prices = quoted.map(({ priceMicrosPerGpuHour }) => priceMicrosPerGpuHour);
    const arrived = funding.held && known ? await this.arrive(job, prices, known.secrets) : undefined;
    if (arrived) return arrived;
    const settled = await this.store.transaction({ organisationId: job.organisationId }, (tx) =>
      this.settle(tx, job, funding, prices),
    );
    if (settled.tasks.length > 0) {
      this.state.addWaiting(settled.job, settled.tasks);
      this.state.wake();
    }
    if (settled.job.state === 'CANCELLED' && settled.holdPending) await this.giveBack(settled.job, funding);
    return settled;
  }

  private async quoteOf({ jobId, organisationId, quoteId }: Job): Promise<Quote> {
    const found = await this.store.transaction({ organisationId }, (tx) => tx.quotes.find(quoteId));
    if (!found) throw new Error(`job ${jobId} has no quote`);
    return found.quote;
  }

  private async placeHold(job: Job, priced: Parameters<Billing['placeHold']>[2]): Promise<Funding> {
    try {
      await this.billing.placeHold(job.jobId, job.organisationId, priced);
      return { held: true };
    } catch (error) {
      if (error instanceof DomainError && FINAL_REFUSALS.includes(error.kind))
        return { held: false, reason: error.reason };
      throw error;
    }
  }

  /** By the writer, which places it in the same transaction; undefined when it did not come to that. */
  private async arrive(job: Job, prices: readonly bigint[], secrets: SealedSecrets): Promise<FundedJob | undefined> {
    const { queued, tasks } = this.queue(job, prices);
    // The writer serves many calls at once.
    const announce = this.traces.keep((tx: Transaction) => tx.events.append([{ type: 'job-queued', job: queued }]));
    return (await this.state.arrive({ job: queued, tasks, secrets, announce })) ? { job: queued, tasks } : undefined;
  }

  private queue(job: Job, prices: readonly bigint[]): { queued: Job; tasks: Task[] } {
    const queued: Job = { ...job, state: moved(JOB_NEXT, job.state, 'QUEUED'), version: job.version + 1n };
    return { queued, tasks: newTasks(queued, prices, () => this.ids.next()) };
  }

  private async settle(
    tx: Transaction,
    { jobId }: Job,
    funding: Funding,
    prices: readonly bigint[],
  ): Promise<FundedJob & { readonly holdPending: boolean }> {
    const job = await tx.jobs.lock(jobId);
    if (!job) throw new Error(`job ${jobId} is gone`);
    // Only a cancel that came before the funding leaves the hold open; later ones are settled by what the job used.
    if (job.state !== 'FUNDING') return { job, tasks: [], holdPending: await tx.jobs.isHoldPending(jobId) };
    if (!funding.held) {
      const rejected: Job = {
        ...job,
        state: moved(JOB_NEXT, job.state, 'REJECTED'),
        reason: funding.reason,
        endTime: this.state.now(),
      };
      await tx.jobs.saveFunded(rejected, []);
      return { job: rejected, tasks: [], holdPending: false };
    }
    const { queued, tasks } = this.queue(job, prices);
    await tx.jobs.saveFunded(queued, tasks);
    await tx.events.append([{ type: 'job-queued', job: queued }]);
    return { job: queued, tasks, holdPending: false };
  }

  /** The hold is certainly there, or certainly not: only now can it be released for good. */
  private async giveBack({ jobId, organisationId }: Job, funding: Funding): Promise<void> {
    if (funding.held) await this.billing.releaseHold(jobId);
    await this.store.transaction({ organisationId }, (tx) => tx.jobs.settleHold(jobId));
  }
}

const FINAL_REFUSALS: readonly DomainError['kind'][] = [
  'precondition',
  'invalid',
  'not-found',
  'denied',
  'already-exists',
];
