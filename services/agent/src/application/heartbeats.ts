import { jitteredHeartbeatMs } from '../domain/timers';
import type { AgentTimers } from '../domain/timers';
import type { HeldLeases } from './held-leases';
import type { Alarms, MonotonicClock, PlatformLink } from './ports';
import type { ReportQueue } from './report-queue';
import type { UsageMeter } from './usage-meter';

const MAX_OPEN_HEARTBEATS = 256;

/** The agent's pulse: while a stream is open it renews the held leases, counts usage and repeats what was not acknowledged. */
export class Heartbeats {
  private timers: AgentTimers;
  private sequence = 0;
  private isDraining = false;
  private disarm: () => void = () => undefined;
  /** Send times of heartbeats of this stream that are not acknowledged yet. */
  private readonly sentAtMs = new Map<number, number>();
  private repeatedAtMs = 0;

  constructor(
    timers: AgentTimers,
    private readonly leases: HeldLeases,
    private readonly link: PlatformLink,
    private readonly meter: UsageMeter,
    private readonly reports: ReportQueue,
    private readonly clock: MonotonicClock,
    private readonly alarms: Alarms,
    private readonly random: () => number,
  ) {
    this.timers = timers;
  }

  get selfFenceMs(): number {
    return this.timers.selfFenceMs;
  }

  /** Beats at once and starts a new count. Without a stream the beat goes on: usage is counted, its blocks wait in the spool. */
  welcomed(heartbeatMs: number, selfFenceMs: number): void {
    this.shorten(heartbeatMs, selfFenceMs);
    this.sequence = 0;
    this.sentAtMs.clear();
    this.repeatedAtMs = this.clock.nowMs();
    this.beat();
  }

  stop(): void {
    this.disarm();
  }

  draining(): void {
    this.isDraining = true;
    this.beat();
  }

  acknowledged(sequence: number, renewedLeaseIds: readonly string[]): void {
    const sentAtMs = this.sentAtMs.get(sequence);
    if (sentAtMs === undefined) return;
    for (const earlier of this.sentAtMs.keys()) if (earlier <= sequence) this.sentAtMs.delete(earlier);
    for (const leaseId of renewedLeaseIds) this.leases.get(leaseId)?.renewed(sentAtMs);
  }

  /** The platform may shorten the agent's timers, never stretch them: a longer fence would outlive the lease. */
  private shorten(heartbeatMs: number, selfFenceMs: number): void {
    if (heartbeatMs > 0) this.timers = { ...this.timers, heartbeatMs: Math.min(this.timers.heartbeatMs, heartbeatMs) };
    if (selfFenceMs > 0) this.timers = { ...this.timers, selfFenceMs: Math.min(this.timers.selfFenceMs, selfFenceMs) };
  }

  private armNext(): void {
    this.disarm();
    this.disarm = this.alarms.after(jitteredHeartbeatMs(this.timers.heartbeatMs, this.random()), () => this.beat());
  }

  private beat(): void {
    const nowMs = this.clock.nowMs();
    const sequence = this.sequence + 1;
    const sent = this.link.send({
      type: 'heartbeat',
      sequence,
      leases: this.leases.renewable(),
      draining: this.isDraining,
    });
    if (sent) {
      this.sequence = sequence;
      if (this.sentAtMs.size < MAX_OPEN_HEARTBEATS) this.sentAtMs.set(sequence, nowMs);
    }
    this.meter.tick();
    if (sent && nowMs - this.repeatedAtMs >= this.timers.resendMs) {
      this.repeatedAtMs = nowMs;
      this.reports.resend();
      this.meter.resend();
    }
    this.armNext();
  }
}
