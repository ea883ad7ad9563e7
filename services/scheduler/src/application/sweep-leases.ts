import { isEnded, type Run } from '../domain/lease';
import type { LiveLease } from '../domain/lease-book';
import { cancelledEnd, endRun, lostEnd, unansweredEnd } from '../domain/run-end';
import { applyRuns } from './apply-runs';
import type { MarketState } from './market-state';
import type { Doorbell, LockedRun, Store } from './ports';

/** Leases that one transaction changes; the rest waits for the next sweep. */
export const SWEEP_LEASES_MAX = 256;

/**
 * What time does to leases: unanswered offers are withdrawn, silent ones expire and are quarantined, quarantines end and
 * their tasks wait again, lost doorbells are rung again. Throws `aborted` WRITER_FENCED when another writer took over.
 */
export class SweepLeases {
  constructor(
    private readonly store: Store,
    private readonly state: MarketState,
    private readonly doorbell: Doorbell,
  ) {}

  async execute(): Promise<void> {
    this.reviewNodes();
    const nowMs = this.state.now().getTime();
    const due = this.state.book.due(nowMs, (nodeId) => this.state.heartbeats.isFrozen(nodeId));
    // Before anything is waited for: a heartbeat that comes meanwhile must not renew what is about to be given away.
    const expired = due.expired.slice(0, SWEEP_LEASES_MAX);
    for (const lease of expired) this.state.book.expire(lease);
    await this.change(due.unanswered, withdraw);
    await this.change(expired, (locked) => this.expire(locked));
    await this.change(due.toClose, close);
    for (const lease of due.overdue) this.state.stop(lease.leaseId, 'EXPIRED');
    const rings = [...due.toRing, ...due.overdue].map((lease) => this.state.ringOf(lease));
    if (rings.length > 0) await this.doorbell.ring(rings);
  }

  private reviewNodes(): void {
    for (const { nodeId } of this.state.heartbeats.review(this.state.now().getTime())) {
      this.state.market.setAvailable(nodeId, false);
      this.state.unreported.add(nodeId);
    }
  }

  private async change(
    leases: readonly LiveLease[],
    next: (locked: LockedRun, now: Date) => Run | undefined,
  ): Promise<void> {
    if (leases.length === 0) return;
    const now = this.state.now();
    const rangeId = this.state.rangeId;
    const { unchanged, runs, requeued } = await this.store.transaction('system', async (tx) => {
      await tx.leases.requireRange(rangeId);
      const stored = await tx.leases.lock(leases.slice(0, SWEEP_LEASES_MAX).map(({ leaseId }) => leaseId));
      const decided = this.state
        .withRenewals(stored)
        .map((before) => ({ before, after: next(before, now) ?? before.run }));
      const changes = decided.filter(({ before, after }) => before.run !== after);
      const same = decided.filter(({ before, after }) => before.run === after).map(({ after }) => after);
      return { unchanged: same, ...(await applyRuns(tx, changes, now)) };
    });
    for (const run of [...unchanged, ...runs]) {
      this.state.apply(run);
      if (run.state === 'REFUSED') this.state.penalise(run.terms.nodeId);
      this.quarantine(run);
    }
    for (const { job, task } of requeued) this.state.addWaiting(job, [task]);
    this.state.wake();
  }

  private quarantine(run: Run): void {
    const lease = run.closeTime ? undefined : this.state.book.get(run.terms.leaseId);
    if (lease && isEnded(run))
      lease.closeAtMs = run.expireTime.getTime() + this.state.timers.reassignMs - this.state.timers.leaseTtlMs;
  }

  /** Silence at the end of the last renewal; the GPUs stay taken until an honest agent has certainly stopped. */
  private expire({ run }: LockedRun): Run | undefined {
    const lease = this.state.book.get(run.terms.leaseId);
    if (!lease || isEnded(run)) return undefined;
    return endRun(run, lostEnd(), run.expireTime);
  }
}

/** The agent never took it: nothing ran, the GPUs are free at once. */
function withdraw({ run }: LockedRun, now: Date): Run | undefined {
  if (run.state !== 'OFFERED') return undefined;
  return { ...endRun(run, run.stopReason ? cancelledEnd() : unansweredEnd(), now), closeTime: now };
}

const close = ({ run }: LockedRun, now: Date): Run | undefined =>
  run.closeTime || !isEnded(run) ? undefined : { ...run, closeTime: now };
