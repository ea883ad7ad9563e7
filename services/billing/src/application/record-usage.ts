import type { Clock } from '@daya/kernel';
import type { InvoiceIds, RecordedUsage, Transaction } from './ports';
import { settleJob } from './settle-job';

/**
 * Charges what metering recorded. A record that was here before changes nothing; one of a lease whose terms are not known yet
 * waits for them.
 */
export class RecordUsage {
  constructor(
    private readonly ids: InvoiceIds,
    private readonly clock: Clock,
  ) {}

  async execute(tx: Transaction, usage: RecordedUsage): Promise<void> {
    const { jobId } = await tx.leases.lock(usage.leaseId);
    const [, isNew] = await Promise.all([
      jobId === undefined ? undefined : tx.jobs.lock(jobId, undefined),
      tx.leases.addUsage(usage),
    ]);
    if (isNew && jobId !== undefined) await settleJob(tx, this.ids, jobId, this.clock.now());
  }
}
