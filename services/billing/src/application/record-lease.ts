import type { Clock } from '@daya/kernel';
import { waivedReason, type Fault, type LeaseTerms } from '../domain/charge';
import type { InvoiceIds, LeaseCourse, Transaction } from './ports';
import { settleJob } from './settle-job';

export interface LeaseStart {
  readonly terms: LeaseTerms;
  readonly startTime: Date;
}

export interface LeaseEnd {
  readonly terms: LeaseTerms;
  /** Undefined when it never ran. */
  readonly startTime: Date | undefined;
  readonly endTime: Date;
  readonly fault: Fault;
}

/**
 * Learns a lease's terms, its start and its end. The end may come first, since it carries the same terms. A run that ended by
 * the provider's or the platform's fault gives back what it was charged.
 */
export class RecordLease {
  constructor(
    private readonly ids: InvoiceIds,
    private readonly clock: Clock,
  ) {}

  started(tx: Transaction, { terms, startTime }: LeaseStart): Promise<void> {
    return this.learn(tx, terms, { startTime });
  }

  ended(tx: Transaction, { terms, startTime, endTime, fault }: LeaseEnd): Promise<void> {
    const end = { endTime, waivedReason: waivedReason(fault, startTime !== undefined) };
    return this.learn(tx, terms, { startTime, end });
  }

  private async learn(tx: Transaction, terms: LeaseTerms, course: LeaseCourse): Promise<void> {
    const [{ jobId, isNew }] = await Promise.all([
      tx.leases.lock(terms.leaseId),
      tx.jobs.lock(terms.jobId, terms.payerId),
    ]);
    if (jobId === undefined) await tx.leases.saveTerms(terms);
    await tx.leases.saveCourse(terms.leaseId, course);
    // Of a lease that goes on and was never heard of, nothing can wait to be charged.
    if (isNew && course.end === undefined) return;
    await settleJob(tx, this.ids, terms.jobId, this.clock.now());
  }
}
