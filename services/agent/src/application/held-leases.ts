import type { LeaseOffer } from '../domain/lease-offer';
import { acknowledgeRenewal, armFence, checkFence } from '../domain/self-fence';
import type { SelfFence } from '../domain/self-fence';
import type { KillReason } from '../domain/exit-reason';
import type { LeaseRef } from './messages';
import type { Alarms, MonotonicClock, RunHandle } from './ports';

/** A lease that this agent has accepted and not yet given back. */
export class HeldLease {
  private handle: RunHandle | null = null;
  private stopReason: KillReason | null = null;
  private disarm: () => void = () => undefined;
  private stopListener: () => void = () => undefined;
  private fence: SelfFence;

  constructor(
    readonly offer: LeaseOffer,
    acceptedAtMs: number,
    selfFenceMs: number,
    private readonly clock: MonotonicClock,
    private readonly alarms: Alarms,
  ) {
    this.fence = armFence(acceptedAtMs, selfFenceMs);
    this.armAlarm();
  }

  get ref(): LeaseRef {
    return { leaseId: this.offer.leaseId, leaseToken: this.offer.leaseToken };
  }

  /** Why this lease must not go on, null while it may. Looks at the clock, so a paused process learns it before its next step. */
  get stopped(): KillReason | null {
    this.look();
    return this.stopReason;
  }

  /** Hands the container over to the fence; a lease that was stopped meanwhile kills it at once. */
  attach(handle: RunHandle): void {
    this.handle = handle;
    handle.armFence(this.fence.deadlineMs);
    if (this.stopped !== null) handle.kill(this.stopReason ?? 'FENCED');
  }

  renewed(sentAtMs: number): void {
    this.fence = acknowledgeRenewal(this.fence, sentAtMs, this.clock.nowMs());
    this.look();
    if (this.stopReason !== null) return;
    this.handle?.armFence(this.fence.deadlineMs);
    this.armAlarm();
  }

  /** The first reason stays. */
  stop(reason: KillReason): void {
    const first = this.stopReason === null;
    this.stopReason ??= reason;
    this.handle?.kill(this.stopReason);
    if (first) this.stopListener();
  }

  /** Calls back when the lease is stopped, once; replaces the listener before. */
  onStop(listener: () => void): void {
    this.stopListener = listener;
  }

  release(): void {
    this.disarm();
  }

  private armAlarm(): void {
    this.disarm();
    this.disarm = this.alarms.after(this.fence.deadlineMs - this.clock.nowMs(), () => this.look());
  }

  private look(): void {
    this.fence = checkFence(this.fence, this.clock.nowMs());
    if (this.fence.fenced && this.stopReason === null) this.stop('FENCED');
  }
}

/** All leases of this agent, by id. */
export class HeldLeases {
  private readonly leases = new Map<string, HeldLease>();

  get(leaseId: string): HeldLease | undefined {
    return this.leases.get(leaseId);
  }

  add(lease: HeldLease): void {
    this.leases.set(lease.offer.leaseId, lease);
  }

  remove(lease: HeldLease): void {
    lease.release();
    this.leases.delete(lease.offer.leaseId);
  }

  all(): readonly HeldLease[] {
    return [...this.leases.values()];
  }

  /** Leases to renew. One that is stopped is not: renewing it would keep its GPUs from the next task. */
  renewable(): readonly LeaseRef[] {
    return this.all()
      .filter((lease) => lease.stopped === null)
      .map((lease) => lease.ref);
  }

  busyGpuUuids(): ReadonlySet<string> {
    return new Set(this.all().flatMap((lease) => lease.offer.gpuUuids));
  }
}
