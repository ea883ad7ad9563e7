import type { Clock } from '@daya/kernel';
import type { InvoiceIds, Transaction } from './ports';
import { settleJob } from './settle-job';

export interface FinishedJob {
  readonly jobId: string;
  readonly payerId: string;
  readonly startedLeaseIds: readonly string[];
  readonly finishTime: Date;
}

/** Settles a job once the usage of every lease it started is in; before that, the last missing fact does it. */
export class FinishJob {
  constructor(
    private readonly ids: InvoiceIds,
    private readonly clock: Clock,
  ) {}

  async execute(tx: Transaction, { jobId, payerId, startedLeaseIds, finishTime }: FinishedJob): Promise<void> {
    await tx.jobs.lock(jobId, payerId);
    await tx.jobs.finish(jobId, startedLeaseIds, finishTime);
    await settleJob(tx, this.ids, jobId, this.clock.now());
  }
}
