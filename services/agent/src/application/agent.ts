import type { Clock } from '@daya/kernel';
import { raiseFloor } from '../domain/fencing-floor';
import type { FencingFloor } from '../domain/fencing-floor';
import { refusalOf } from '../domain/lease-offer';
import type { LeaseOffer, NodeView } from '../domain/lease-offer';
import { HeldLease } from './held-leases';
import type { HeldLeases } from './held-leases';
import type { Heartbeats } from './heartbeats';
import type { PlatformMessage, ReportBody, ReportOutcome } from './messages';
import type {
  AgentLog,
  Alarms,
  ContainerDriver,
  FloorStore,
  LeaseJournal,
  MonotonicClock,
  PlatformLink,
} from './ports';
import type { ReportQueue } from './report-queue';
import type { RunLease } from './run-lease';
import type { UsageMeter } from './usage-meter';

/** What never changes while the agent lives. */
export type NodeFacts = Omit<NodeView, 'floor' | 'busyGpuUuids' | 'draining'>;

export interface AgentParts {
  readonly node: NodeFacts;
  readonly driver: ContainerDriver;
  readonly link: PlatformLink;
  readonly reports: ReportQueue;
  readonly meter: UsageMeter;
  readonly runs: RunLease;
  readonly leases: HeldLeases;
  readonly heartbeats: Heartbeats;
  readonly floors: FloorStore;
  readonly journal: LeaseJournal;
  readonly clock: MonotonicClock;
  readonly wallClock: Clock;
  readonly alarms: Alarms;
  readonly log: AgentLog;
}

/** Decides about every message of the platform. Owns which leases are held; everything else does as it says. */
export class Agent {
  private floor: FencingFloor;
  private draining = false;
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly parts: AgentParts) {
    this.floor = parts.floors.load();
  }

  /** Before the first connection: whatever an earlier life left is killed, wiped and reported. */
  async recover(): Promise<void> {
    const { driver, journal, meter, reports, log } = this.parts;
    const wiped = await driver.sweep();
    for (const { leaseId, leaseToken, cumulativeMs } of journal.load()) {
      const lease = { leaseId, leaseToken };
      meter.finishLost(lease, cumulativeMs);
      reports.add(lease, { type: 'exited', reason: 'AGENT_RESTARTED', exitCode: 0, cumulativeMs, artifacts: [] });
      journal.remove(leaseId);
    }
    if (wiped.length > 0) log.warn('containers of an earlier life were removed', { leaseIds: wiped });
  }

  /** A new stream is open: say who we are. Everything else waits for the welcome. */
  connected(): void {
    const { link, leases } = this.parts;
    link.send({ type: 'hello', leases: leases.renewable(), draining: this.draining });
  }

  handle(message: PlatformMessage): void {
    const { heartbeats, reports, meter } = this.parts;
    switch (message.type) {
      case 'welcome':
        return this.welcomed(message.heartbeatMs, message.selfFenceMs);
      case 'heartbeat-ack':
        return heartbeats.acknowledged(message.sequence, message.renewedLeaseIds);
      case 'offer':
        return this.answer(message.offer);
      case 'stop':
        return this.stop(message.leaseId, message.leaseToken, message.reason);
      case 'report-ack':
        return reports.decided(message.reportId, message.outcome);
      case 'usage-ack':
        return meter.acknowledged(message.bootId, message.lastSequence);
    }
  }

  /** Takes no new work from now on. */
  drain(): void {
    this.draining = true;
    this.parts.heartbeats.draining();
  }

  /** Kills everything and waits until it is reported (to the spool at least) and wiped. */
  async stopAll(): Promise<void> {
    this.drain();
    for (const lease of this.parts.leases.all()) lease.stop('AGENT_RESTARTED');
    await Promise.all(this.running);
  }

  private welcomed(heartbeatMs: number, selfFenceMs: number): void {
    const { heartbeats, reports, meter, runs } = this.parts;
    heartbeats.welcomed(heartbeatMs, selfFenceMs);
    // Before the reports: whoever follows a log stops at the exit.
    runs.reconnected();
    reports.resend();
    meter.resend();
  }

  private answer(offer: LeaseOffer): void {
    const { leases, reports, log } = this.parts;
    // Dispatch repeats an offer whose answer it has not seen; the answer is still in the queue, or was decided.
    if (leases.get(offer.leaseId)?.offer.leaseToken === offer.leaseToken) return reports.resend();
    const refusal = refusalOf(offer, this.view(), this.parts.wallClock.now());
    if (refusal !== null) {
      log.info('offer refused', { leaseId: offer.leaseId, reason: refusal });
      reports.add(offer, { type: 'refused', reason: refusal });
      return;
    }
    this.accept(offer);
  }

  private accept(offer: LeaseOffer): void {
    const { floors, journal, leases, reports, clock, alarms, heartbeats, log } = this.parts;
    this.floor = raiseFloor(this.floor, offer.gpuUuids, offer.leaseToken);
    floors.save(this.floor);
    const lease = new HeldLease(offer, clock.nowMs(), heartbeats.selfFenceMs, clock, alarms);
    leases.add(lease);
    journal.save({ ...lease.ref, cumulativeMs: 0 });
    log.info('offer accepted', { leaseId: offer.leaseId, jobId: offer.jobId, taskIndex: offer.taskIndex });
    const acceptance = reports.add(lease.ref, { type: 'accepted' }, (outcome) => this.accepted(lease, outcome));
    lease.onStop(() => this.giveUpUnconfirmed(lease, acceptance));
  }

  /** Only an acceptance that the scheduler has stored may start a container: an unanswered offer goes to another node. */
  private accepted(lease: HeldLease, outcome: ReportOutcome): void {
    if (this.parts.leases.get(lease.offer.leaseId) !== lease) return;
    lease.onStop(() => undefined);
    if (outcome === 'STALE' || outcome === 'REFUSED') return this.forget(lease);
    const run = this.parts.runs.execute(lease).then((exit) => {
      this.end(lease, exit);
      this.running.delete(run);
    });
    this.running.add(run);
  }

  /** Free first, then reported: the next offer may come on the heels of the report. */
  private end(lease: HeldLease, exit: ReportBody): void {
    this.parts.leases.remove(lease);
    this.parts.reports.add(lease.ref, exit);
    this.parts.journal.remove(lease.offer.leaseId);
  }

  private giveUpUnconfirmed(lease: HeldLease, acceptanceId: string): void {
    this.parts.reports.withdraw(acceptanceId);
    this.end(lease, { type: 'exited', reason: lease.stopped ?? 'FENCED', exitCode: 0, cumulativeMs: 0, artifacts: [] });
  }

  private forget(lease: HeldLease): void {
    this.parts.leases.remove(lease);
    this.parts.journal.remove(lease.offer.leaseId);
  }

  private stop(leaseId: string, leaseToken: bigint, reason: string): void {
    const lease = this.parts.leases.get(leaseId);
    if (lease === undefined || lease.offer.leaseToken !== leaseToken) return;
    this.parts.log.info('lease stopped by the platform', { leaseId, reason });
    lease.stop(reason === 'CANCELLED' ? 'CANCELLED' : 'FENCED');
  }

  private view(): NodeView {
    return {
      ...this.parts.node,
      floor: this.floor,
      busyGpuUuids: this.parts.leases.busyGpuUuids(),
      draining: this.draining,
    };
  }
}
