import { refuseInvalid, type FoundViolation } from '@daya/kernel';
import { endRun, restartedEnd } from '../domain/run-end';
import { isEnded, type StopReason } from '../domain/lease';
import type { LiveLease } from '../domain/lease-book';
import { Violations } from '../domain/violations';
import { applyRuns } from './apply-runs';
import type { MarketState } from './market-state';
import type { Store } from './ports';

export const HEARTBEATS_MAX = 1_000;
export const HELD_LEASES_MAX = 64;

export interface HeldLease {
  readonly leaseId: string;
  readonly leaseToken: bigint;
}

export interface NodeHeartbeat {
  readonly nodeId: string;
  readonly receiveTime: Date;
  readonly leases: readonly HeldLease[];
  readonly agentStarted: boolean;
  readonly draining: boolean;
}

export interface Stop extends HeldLease {
  readonly nodeId: string;
  readonly reason: StopReason;
}

export interface NodeRenewal {
  readonly nodeId: string;
  readonly renewed: readonly { readonly leaseId: string; readonly expireTime: Date }[];
  readonly stops: readonly Stop[];
}

/**
 * Takes agents' heartbeats: keeps their nodes ONLINE and gives each live lease that they name one TTL from the receipt. In
 * memory; the sweep stores renewals in batches, and a new writer grants every live lease one full TTL, so no answer is
 * ever taken back. Throws `unavailable` NOT_LEADING, `invalid` with the index of every malformed heartbeat.
 */
export class RenewLeases {
  constructor(
    private readonly store: Store,
    private readonly state: MarketState,
  ) {}

  async execute(heartbeats: readonly NodeHeartbeat[]): Promise<NodeRenewal[]> {
    refuseInvalid(validate(heartbeats));
    void this.state.rangeId;
    const restarted = heartbeats.filter(({ agentStarted }) => agentStarted);
    if (restarted.length > 0) await this.endForgotten(restarted);
    return heartbeats.map((heartbeat) => this.renew(heartbeat));
  }

  private renew({ nodeId, receiveTime, leases, draining }: NodeHeartbeat): NodeRenewal {
    const nowMs = this.state.now().getTime();
    const heardAtMs = Math.min(receiveTime.getTime(), nowMs);
    if (this.state.heartbeats.hear(nodeId, heardAtMs, draining, nowMs)) {
      this.state.market.setAvailable(nodeId, !draining);
      this.state.unreported.add(nodeId);
      this.state.wake();
    }
    const renewed: { leaseId: string; expireTime: Date }[] = [];
    const stops = new Map<string, Stop>();
    for (const held of leases) {
      const lease = this.state.book.get(held.leaseId);
      const known = lease !== undefined && lease.nodeId === nodeId && lease.leaseToken === held.leaseToken;
      if (known && this.state.book.renew(lease, heardAtMs))
        renewed.push({ leaseId: lease.leaseId, expireTime: new Date(lease.expireAtMs) });
      else stops.set(held.leaseId, { ...held, nodeId, reason: known ? (lease.stopReason ?? 'EXPIRED') : 'SUPERSEDED' });
    }
    for (const { leaseId, leaseToken, stopReason, phase } of this.state.book.ofNode(nodeId)) {
      if (stopReason && phase !== 'QUARANTINED')
        stops.set(leaseId, { leaseId, leaseToken, nodeId, reason: stopReason });
    }
    return { nodeId, renewed, stops: [...stops.values()] };
  }

  /** A started agent has only the containers that it names; what it accepted before and does not name is gone. */
  private async endForgotten(heartbeats: readonly NodeHeartbeat[]): Promise<void> {
    const forgotten = heartbeats.flatMap((heartbeat) =>
      this.state.book.ofNode(heartbeat.nodeId).filter((lease) => isForgotten(lease, heartbeat)),
    );
    if (forgotten.length === 0) return;
    const now = this.state.now();
    const rangeId = this.state.rangeId;
    const { runs, requeued } = await this.store.transaction('system', async (tx) => {
      await tx.leases.requireRange(rangeId);
      const locked = await tx.leases.lock(forgotten.map(({ leaseId }) => leaseId));
      const changes = this.state
        .withRenewals(locked)
        .filter(({ run }) => !run.closeTime && run.state !== 'OFFERED')
        .map((before) => {
          const ended = isEnded(before.run) ? before.run : endRun(before.run, restartedEnd(), now);
          return { before, after: { ...ended, closeTime: now } };
        });
      return applyRuns(tx, changes, now);
    });
    for (const run of runs) this.state.apply(run);
    for (const { job, task } of requeued) this.state.addWaiting(job, [task]);
    this.state.wake();
  }
}

/** Unanswered offers are left to their timer; an answer younger than the heartbeat is none of the old life. */
function isForgotten(lease: LiveLease, { leases, receiveTime }: NodeHeartbeat): boolean {
  if (lease.phase === 'OFFERED' || leases.some(({ leaseId }) => leaseId === lease.leaseId)) return false;
  return (lease.acceptAtMs ?? lease.grantAtMs) < receiveTime.getTime();
}

function validate(heartbeats: readonly NodeHeartbeat[]): FoundViolation[] {
  const envelope = new Violations();
  if (!envelope.count('heartbeats', heartbeats.length, 1, HEARTBEATS_MAX)) return envelope.list;
  return heartbeats.flatMap(({ nodeId, leases }, index) => {
    const found = new Violations(`heartbeats[${index}]`);
    found.uuid('node_id', nodeId);
    if (found.count('leases', leases.length, 0, HELD_LEASES_MAX)) {
      leases.forEach(({ leaseId, leaseToken }, at) => {
        found.uuid(`leases[${at}].lease_id`, leaseId);
        found.check(`leases[${at}].lease_token`, leaseToken >= 1n, 'OUT_OF_RANGE', 'must be at least 1');
      });
    }
    return found.list;
  });
}
