import { randomUUID, sign } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@daya/nest/client';
import { toTimestamp } from '@daya/proto';
import {
  AgentServiceService,
  UsageBlock,
  type AgentFrame,
  type ConnectRequest,
  type Report,
  type ServerFrame,
  type SignedUsageBlock,
  type UsageTick,
} from '@daya/proto/dispatch';
import type { Inventory } from '@daya/proto/registry';
import { LeaseOffer, LeaseReportOutcome, type HeldLease, type SignedLeaseOffer } from '@daya/proto/scheduler';
import { FrameQueue } from './frame-queue';
import type { EnrolledNode } from './node-key';
import { wallMs } from './wall-clock';

const PROTOCOL_VERSION = 1;
const RECONNECT_MS = 1_000;
const RESEND_MS = 5_000;

/** What the bench wants to know of the agents. */
export interface AgentEvents {
  offered(jobId: string, taskIndex: number, atMs: number): void;
  /** The platform has taken the lease's exit. */
  settled(): void;
  /** Something that a quiet run does not have: a lost stream, a refused report. */
  disturbed(what: string): void;
}

interface Unanswered {
  readonly frame: AgentFrame;
  readonly sentMs: number;
}

/**
 * An agent on the real protocol whose containers take no time: it accepts every offer, reports Running and, when that is
 * taken, Exited with a signed final tick. It repeats what is not acknowledged and beats as it is told.
 */
export class SimulatedAgent {
  private readonly bootId = randomUUID();
  private readonly held = new Map<string, HeldLease>();
  private readonly reports = new Map<string, Unanswered & { readonly onTaken: () => void }>();
  private readonly blocks = new Map<bigint, Unanswered>();
  private frames = new FrameQueue<ConnectRequest>();
  private tickSequence = 0n;
  private stopped = false;
  private readonly abort = new AbortController();

  constructor(
    private readonly node: EnrolledNode,
    private readonly inventory: Inventory,
    private readonly events: AgentEvents,
  ) {}

  /** Keeps a stream open until `stop`. */
  async run(): Promise<void> {
    const { agentAddress, tls } = this.node;
    const client = createClient(AgentServiceService, { url: agentAddress, audience: 'dispatch', tls });
    while (!this.stopped) {
      const frames = new FrameQueue<ConnectRequest>();
      this.frames = frames;
      this.send(this.hello());
      const beat = new AbortController();
      try {
        for await (const { frame } of client.connect(frames, { signal: this.abort.signal }))
          if (frame !== undefined) this.receive(frame, beat.signal);
        this.lost('the server ended the stream');
      } catch (error) {
        this.lost(error instanceof Error ? error.message : String(error));
      }
      beat.abort();
      frames.close();
      if (!this.stopped) await sleep(RECONNECT_MS);
    }
    client.onModuleDestroy();
  }

  stop(): void {
    this.stopped = true;
    this.frames.close();
    this.abort.abort();
  }

  private lost(why: string): void {
    if (!this.stopped) this.events.disturbed(`stream lost: ${why}`);
  }

  private receive({ frame }: ServerFrame, beat: AbortSignal): void {
    switch (frame?.$case) {
      case 'welcome':
        return void this.beat(frame.value.heartbeatMs, beat);
      case 'offer':
        return this.accept(frame.value);
      case 'reportAck':
        return this.reportTaken(frame.value.reportId, frame.value.outcome);
      case 'usageAck':
        for (const last of this.blocks.keys()) if (last <= frame.value.lastSequence) this.blocks.delete(last);
        return;
      default:
        return;
    }
  }

  private accept({ offer: bytes, signature }: SignedLeaseOffer): void {
    const atMs = wallMs();
    if (!this.node.verifyOffer(bytes, signature))
      return this.events.disturbed('an offer is not signed by the scheduler');
    const { jobId, taskIndex, leaseId, leaseToken } = LeaseOffer.decode(bytes);
    if (this.held.has(leaseId)) return;
    this.events.offered(jobId, taskIndex, atMs);
    const lease: HeldLease = { leaseId, leaseToken };
    this.held.set(leaseId, lease);
    this.report(lease, { $case: 'accepted', value: {} }, () =>
      this.report(lease, { $case: 'running', value: {} }, () => this.exit(lease, wallMs())),
    );
  }

  private exit(lease: HeldLease, startMs: number): void {
    const cumulativeMs = BigInt(Math.max(1, Math.round(wallMs() - startMs)));
    this.tick({ ...lease, cumulativeMs, agentTime: toTimestamp(new Date()), final: true });
    const exited = { exitCode: 0, reason: 'EXITED', cumulativeMs, artifacts: [] };
    this.report(lease, { $case: 'exited', value: exited }, () => {
      this.held.delete(lease.leaseId);
      this.events.settled();
    });
  }

  private report(lease: HeldLease, report: NonNullable<Report['report']>, onTaken: () => void): void {
    const reportId = randomUUID();
    const frame: AgentFrame = { frame: { $case: 'report', value: { reportId, ...lease, report } } };
    this.reports.set(reportId, { frame, sentMs: wallMs(), onTaken });
    this.send(frame);
  }

  private reportTaken(reportId: string, outcome: LeaseReportOutcome): void {
    const report = this.reports.get(reportId);
    if (report === undefined) return;
    this.reports.delete(reportId);
    if (outcome === LeaseReportOutcome.APPLIED || outcome === LeaseReportOutcome.DUPLICATE) return report.onTaken();
    if (report.frame.frame?.$case === 'report') this.held.delete(report.frame.frame.value.leaseId);
    this.events.disturbed(`report ${outcome}`);
  }

  private tick(tick: UsageTick): void {
    this.tickSequence += 1n;
    const { nodeId, generation, key } = this.node;
    const block = UsageBlock.encode({ nodeId, bootId: this.bootId, firstSequence: this.tickSequence, ticks: [tick] });
    const bytes = Buffer.from(block.finish());
    const signed: SignedUsageBlock = { block: bytes, signature: sign(null, bytes, key), generation };
    const frame: AgentFrame = { frame: { $case: 'usage', value: signed } };
    this.blocks.set(this.tickSequence, { frame, sentMs: wallMs() });
    this.send(frame);
  }

  private async beat(heartbeatMs: number, signal: AbortSignal): Promise<void> {
    for (let sequence = 1n; !signal.aborted; sequence += 1n) {
      const heartbeat = { sequence, leases: [...this.held.values()], draining: false };
      this.send({ frame: { $case: 'heartbeat', value: heartbeat } });
      const late = wallMs() - RESEND_MS;
      for (const { frame, sentMs } of [...this.reports.values(), ...this.blocks.values()])
        if (sentMs < late) this.send(frame);
      await sleep(heartbeatMs * (0.8 + 0.4 * Math.random()), undefined, { signal }).catch(() => undefined);
    }
  }

  private send(frame: AgentFrame): void {
    this.frames.push({ frame });
  }

  private hello(): AgentFrame {
    const value = {
      protocolVersion: PROTOCOL_VERSION,
      agentVersion: this.inventory.agentVersion,
      bootId: this.bootId,
      emulated: true,
      inventory: this.inventory,
      leases: [...this.held.values()],
      draining: false,
    };
    return { frame: { $case: 'hello', value } };
  }
}
