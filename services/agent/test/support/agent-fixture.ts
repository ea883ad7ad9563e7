import type { Report } from '@daya/proto/dispatch';
import type { LeaseExited, LeaseOffer, LeaseRefused } from '@daya/proto/scheduler';
import { JobSpec, LeaseReportOutcome } from '@daya/proto/scheduler';
import { PinoLog } from '../../src/adapters/files/pino-log';
import { startAgent } from '../../src/start-agent';
import type { RunningAgent } from '../../src/start-agent';
import { AgentHome, until } from './agent-home';
import { busyboxEntries, MemoryBlobs, putImage } from './oci-image';
import { TestPlatform } from './test-platform';

/** Fast beats; a fence that a busy machine does not reach by itself. */
export const TIMERS = { heartbeatMs: 200, selfFenceMs: 4_500 };
/** When the platform gives the GPUs away, at the same scale. */
export const REASSIGN_MS = 7_500;

/** A platform and an agent in this process, with real containers. */
export class AgentFixture {
  readonly blobs = new MemoryBlobs();
  readonly busybox = putImage(this.blobs, busyboxEntries());
  private token = 0n;
  private running: RunningAgent | null = null;

  private constructor(
    readonly platform: TestPlatform,
    readonly home: AgentHome,
  ) {}

  static async start(changes: { readonly certificateLifeMs?: number } = {}): Promise<AgentFixture> {
    const platform = await TestPlatform.start(TIMERS);
    platform.certificateLifeMs = changes.certificateLifeMs ?? platform.certificateLifeMs;
    const fixture = new AgentFixture(platform, new AgentHome(platform));
    platform.blobs = fixture.blobs;
    await fixture.startAgent();
    return fixture;
  }

  get agent(): RunningAgent {
    if (this.running === null) throw new Error('no agent runs');
    return this.running;
  }

  /** Returns when its first heartbeat has come. */
  async startAgent(changes: Readonly<Record<string, string>> = {}): Promise<void> {
    const config = this.home.config(changes);
    const before = this.platform.heartbeats;
    this.running = await startAgent(config, new PinoLog(config.LOG_LEVEL), this.home.keeperCommand);
    await until(() => this.platform.heartbeats > before);
  }

  /** Offers a shell script under the next token. */
  offer(script: string, changes: Partial<LeaseOffer> = {}): LeaseOffer {
    this.token += 1n;
    const spec = this.spec();
    return this.platform.offer({
      leaseToken: this.token,
      spec,
      command: ['sh', '-c', script],
      outputPath: 'out',
      ...changes,
    });
  }

  spec(inputs: JobSpec['inputs'] = []): JobSpec {
    const requirements = { memoryMib: 32, scratchMib: 8 };
    return JobSpec.fromPartial({ image: { digest: this.busybox }, requirements, inputs });
  }

  /** Puts a blob and returns it as the protos name it. */
  input(text: string, path: string): { readonly sha256: string; readonly path: string } {
    return { sha256: this.blobs.put(Buffer.from(text)).digest.slice('sha256:'.length), path };
  }

  stop(lease: LeaseOffer, reason: string, leaseToken = lease.leaseToken): void {
    const { leaseId, nodeId } = lease;
    this.platform.broadcast({ frame: { $case: 'stop', value: { leaseId, nodeId, leaseToken, reason } } });
  }

  reportOf(leaseId: string, kind: string): Report | undefined {
    return this.platform.reports.find((report) => report.leaseId === leaseId && report.report?.$case === kind);
  }

  /** The kinds of a lease's reports in order, repeats counted once. */
  reportsOf(leaseId: string): readonly string[] {
    const own = this.platform.reports.filter((report) => report.leaseId === leaseId);
    const kinds = new Map(own.map((report) => [report.reportId, report.report?.$case ?? '']));
    return [...kinds.values()];
  }

  runningOf(leaseId: string): Promise<Report> {
    return until(() => this.reportOf(leaseId, 'running'));
  }

  async exitOf(leaseId: string): Promise<LeaseExited> {
    return (await until(() => this.reportOf(leaseId, 'exited'))).report?.value as LeaseExited;
  }

  async refusalOf(leaseId: string): Promise<string> {
    return ((await until(() => this.reportOf(leaseId, 'refused'))).report?.value as LeaseRefused).reason;
  }

  /** Between tests: no container, no mount, every switch back. */
  async reset(): Promise<void> {
    const { platform, home } = this;
    platform.acknowledgeHeartbeats = platform.acknowledgeReports = platform.acknowledgeUsage = true;
    platform.outcomeOf = () => LeaseReportOutcome.APPLIED;
    await until(() => home.containerProcesses().length === 0 && home.mounts().length === 0);
  }

  async end(): Promise<void> {
    await this.running?.stop();
    this.platform.stop();
    this.home.remove();
  }
}
