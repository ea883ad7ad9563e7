import { notFound, refuseInvalid, scopeOf, type Caller } from '@daya/kernel';
import { cancelTask, type Job } from '../domain/job';
import type { Run } from '../domain/lease';
import { isFinalJob, JOB_NEXT, moved } from '../domain/states';
import { Violations } from '../domain/violations';
import { settleJobs } from './apply-runs';
import { memberOf, requireRequestId } from './caller';
import type { MarketState } from './market-state';
import type { Doorbell, Store, Transaction } from './ports';

/**
 * Cancels a job; after the answer no lease is granted any more. Leases that live are told to stop, and the time until they
 * do is the customer's. A job that has ended stays as it is. Cancelling during FUNDING wins: the funding that comes later
 * finds it and gives the money back. Throws `not-found` JOB_NOT_FOUND, also for another organisation's job.
 */
export class CancelJob {
  constructor(
    private readonly store: Store,
    private readonly state: MarketState,
    private readonly doorbell: Doorbell,
  ) {}

  async execute(caller: Caller, command: { readonly requestId: string; readonly jobId: string }): Promise<Job> {
    const found = new Violations();
    requireRequestId(found, command.requestId);
    found.uuid('job_id', command.jobId);
    refuseInvalid(found.list);
    const { organisationId } = memberOf(caller);
    const key = { scope: organisationId, method: 'CancelJob', requestId: command.requestId, content: command.jobId };
    const { job, stopped } = await this.store.transaction(scopeOf(caller), async (tx) => {
      let runs: Run[] = [];
      await tx.requests.once(key, command.jobId, async () => {
        runs = await this.cancel(tx, command.jobId);
      });
      const now = await tx.jobs.lock(command.jobId);
      if (!now) throw notFound('job', command.jobId);
      return { job: now, stopped: runs };
    });
    this.state.dropJob(command.jobId);
    const rings = stopped.flatMap(({ terms }) => this.state.stop(terms.leaseId, 'CANCELLED') ?? []);
    if (rings.length > 0) void this.doorbell.ring(rings);
    return job;
  }

  /** Returns the runs that were told to stop. */
  private async cancel(tx: Transaction, jobId: string): Promise<Run[]> {
    const job = await tx.jobs.lock(jobId);
    if (!job) throw notFound('job', jobId);
    if (isFinalJob(job.state)) return [];
    const cancelled: Job = { ...job, state: moved(JOB_NEXT, job.state, 'CANCELLED'), reason: 'CANCELLED' };
    if (job.state === 'FUNDING') {
      await tx.jobs.save([{ ...cancelled, endTime: this.state.now() }]);
      return [];
    }
    await tx.jobs.saveTasks((await tx.jobs.lockTasks(jobId)).map(cancelTask));
    const open = await tx.leases.lockOpenOf(jobId);
    const stopped = open.map((run): Run => ({ ...run, stopReason: 'CANCELLED' }));
    await tx.leases.saveRuns(stopped);
    const { events } = await settleJobs(tx, [cancelled], this.state.now());
    await tx.events.append(events);
    return stopped;
  }
}
