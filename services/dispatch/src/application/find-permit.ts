import type { Clock } from '@daya/kernel';
import type { LeasePermit } from '../domain/lease-permit';
import type { LeasePermits } from './ports';
import type { SchedulerDesk } from './scheduler-desk';

const UNKNOWN_FOR_MS = 2_000;
const UNKNOWN_MAX = 10_000;

/** The permit of a lease: kept since its offer went through here, else asked of the scheduler. */
export class FindPermit {
  private readonly unknown = new Map<string, number>();

  constructor(
    private readonly permits: LeasePermits,
    private readonly desk: SchedulerDesk,
    private readonly clock: Clock,
  ) {}

  /** Undefined for a lease that nobody knows. Throws `unavailable` when the scheduler must be asked and does not answer. */
  async execute(leaseId: string): Promise<LeasePermit | undefined> {
    const kept = await this.permits.find(leaseId);
    if (kept !== undefined) return kept;
    const nowMs = this.clock.now().getTime();
    if ((this.unknown.get(leaseId) ?? -Infinity) > nowMs - UNKNOWN_FOR_MS) return undefined;
    const { offer } = await this.desk.order(leaseId);
    if (offer !== undefined) {
      await this.permits.keep(offer.permit);
      return offer.permit;
    }
    if (this.unknown.size >= UNKNOWN_MAX) this.unknown.clear();
    this.unknown.set(leaseId, nowMs);
    return undefined;
  }
}
