import type { Timers } from '@daya/kernel';
import type { StopReason } from './lease';

/** OFFERED: unanswered. HELD: accepted or running. QUARANTINED: ended, but its GPUs may still be in use. */
export type LeasePhase = 'OFFERED' | 'HELD' | 'QUARANTINED';

/** A lease whose GPUs are not free, as its writer keeps it in memory. */
export interface LiveLease {
  readonly leaseId: string;
  readonly leaseToken: bigint;
  readonly nodeId: string;
  readonly jobId: string;
  phase: LeasePhase;
  readonly grantAtMs: number;
  readonly answerAtMs: number;
  acceptAtMs: number | undefined;
  startAtMs: number | undefined;
  readonly maxRunMs: number;
  /** The end that the last renewal gave. */
  expireAtMs: number;
  storedExpireAtMs: number;
  closeAtMs: number;
  stopReason: StopReason | undefined;
  rungAtMs: number;
  ringCount: number;
}

export interface DueLeases {
  readonly unanswered: readonly LiveLease[];
  readonly expired: readonly LiveLease[];
  readonly toClose: readonly LiveLease[];
  /** Offers and stop orders of which nothing was heard: the doorbell may have been lost. */
  readonly toRing: readonly LiveLease[];
  /** Ran past the task's budget; the agent should have stopped it. */
  readonly overdue: readonly LiveLease[];
}

/** Repeat the doorbell after this share of the time in which an offer must be answered. */
const RINGS_PER_OFFER = 3;
/** How long past its budget a run is left to the agent's own deadline, in lease lives. */
const OVERDUE_LEASE_LIVES = 1;

/** Every lease that holds GPUs. Renewals live here and reach the database in batches. */
export class LeaseBook {
  private readonly leases = new Map<string, LiveLease>();
  private readonly byNode = new Map<string, Set<LiveLease>>();

  constructor(private readonly timers: Timers) {}

  add(lease: LiveLease): void {
    this.leases.set(lease.leaseId, lease);
    const ofNode = this.byNode.get(lease.nodeId) ?? new Set();
    this.byNode.set(lease.nodeId, ofNode.add(lease));
  }

  get(leaseId: string): LiveLease | undefined {
    return this.leases.get(leaseId);
  }

  remove(leaseId: string): void {
    const lease = this.leases.get(leaseId);
    if (!lease) return;
    this.leases.delete(leaseId);
    const ofNode = this.byNode.get(lease.nodeId);
    ofNode?.delete(lease);
    if (ofNode?.size === 0) this.byNode.delete(lease.nodeId);
  }

  ofNode(nodeId: string): readonly LiveLease[] {
    return [...(this.byNode.get(nodeId) ?? [])];
  }

  get size(): number {
    return this.leases.size;
  }

  all(): IterableIterator<LiveLease> {
    return this.leases.values();
  }

  /** A renewal gives a live lease one TTL from its receipt. A lease that must stop is not renewed. */
  renew(lease: LiveLease, receivedAtMs: number): boolean {
    if (lease.phase === 'QUARANTINED' || lease.stopReason !== undefined) return false;
    lease.expireAtMs = Math.max(lease.expireAtMs, receivedAtMs + this.timers.leaseTtlMs);
    return true;
  }

  /** From now on nobody renews it: its end may be on its way to the database. It is closed when that has said until when. */
  expire(lease: LiveLease): void {
    lease.phase = 'QUARANTINED';
    lease.closeAtMs = Number.POSITIVE_INFINITY;
  }

  /** `frozen`: nodes of which silence means nothing now (mass-loss guard). */
  due(nowMs: number, frozen: (nodeId: string) => boolean): DueLeases {
    const due = {
      unanswered: [] as LiveLease[],
      expired: [] as LiveLease[],
      toClose: [] as LiveLease[],
      toRing: [] as LiveLease[],
      overdue: [] as LiveLease[],
    };
    const ringEveryMs = this.timers.offerMs / RINGS_PER_OFFER;
    for (const lease of this.leases.values()) {
      if (lease.phase === 'QUARANTINED') {
        if (nowMs >= lease.closeAtMs) due.toClose.push(lease);
      } else if (lease.phase === 'OFFERED' && nowMs >= lease.answerAtMs) due.unanswered.push(lease);
      else if (lease.phase === 'HELD' && nowMs >= lease.expireAtMs && !frozen(lease.nodeId)) due.expired.push(lease);
      else if (this.isOverdue(lease, nowMs)) due.overdue.push(lease);
      else if ((lease.phase === 'OFFERED' || lease.stopReason) && nowMs - lease.rungAtMs >= ringEveryMs)
        due.toRing.push(lease);
    }
    return due;
  }

  /** Renewed leases whose stored end is old enough to be written again. */
  toPersist(): readonly LiveLease[] {
    return [...this.leases.values()].filter(
      (lease) => lease.phase !== 'QUARANTINED' && lease.expireAtMs > lease.storedExpireAtMs,
    );
  }

  private isOverdue({ startAtMs, maxRunMs, stopReason }: LiveLease, nowMs: number): boolean {
    return (
      startAtMs !== undefined &&
      stopReason === undefined &&
      nowMs >= startAtMs + maxRunMs + OVERDUE_LEASE_LIVES * this.timers.leaseTtlMs
    );
  }
}
