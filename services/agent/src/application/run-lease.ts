import { isSuccess } from '../domain/exit-reason';
import type { ExitReason } from '../domain/exit-reason';
import { ImageInvalid } from '../domain/oci-manifest';
import type { LeaseOffer } from '../domain/lease-offer';
import type { HeldLease } from './held-leases';
import { LogShipper } from './log-shipper';
import type { ReportBody, ReportedArtifact } from './messages';
import { BlobMissing, InputInvalid, OutputInvalid, RunUnsupported, UploadRefused } from './ports';
import type {
  AgentLog,
  BlobExchange,
  ContainerDriver,
  MonotonicClock,
  PlatformLink,
  RunExit,
  RunHandle,
  RunLimits,
} from './ports';
import type { ReportQueue } from './report-queue';
import type { UsageMeter } from './usage-meter';

/** The owner's limits that no job can pass, and which GPUs are real. */
export interface RunPolicy {
  readonly pids: number;
  readonly scratchInodes: number;
  readonly inputBytes: number;
  readonly logBytes: number;
  readonly artifactFiles: number;
  readonly artifactBytes: number;
  readonly emulated: boolean;
}

interface RunParts {
  readonly driver: ContainerDriver;
  readonly blobs: BlobExchange;
  readonly reports: ReportQueue;
  readonly meter: UsageMeter;
  readonly link: PlatformLink;
  readonly clock: MonotonicClock;
  readonly log: AgentLog;
  readonly policy: RunPolicy;
}

/** How a run ended for the report. */
interface RunResult {
  readonly reason: ExitReason;
  readonly exitCode: number;
  readonly endedAtMs: number;
  readonly artifacts: readonly ReportedArtifact[];
}

/** A container that did not exit by itself has no code of its own; the reason says what happened. */
const FINISHED_LOGS_MAX = 16;
const UNKNOWN_EXIT_CODE = 0;

/**
 * Runs one accepted lease to its end and says how it ended, whatever happens in between. A lease that is stopped
 * (cancel, fence) starts nothing any more. When this returns, nothing of the run is left on the node: only then may its
 * GPUs be called free.
 */
export class RunLease {
  private readonly shippers = new Set<LogShipper>();
  /** Of runs that have ended; a broken stream may have taken their last words with it. */
  private finished: readonly LogShipper[] = [];

  constructor(private readonly parts: RunParts) {}

  async execute(lease: HeldLease): Promise<ReportBody> {
    const { log, meter } = this.parts;
    let handle: RunHandle | null = null;
    let result: RunResult;
    try {
      handle = await this.start(lease);
      result = await this.follow(lease, handle);
    } catch (error) {
      // A container that nobody follows any more must not run on; after its end the kill changes nothing.
      handle?.kill('FENCED');
      result = this.endWithoutRun(lease, error);
    }
    const cumulativeMs = meter.finish(lease.ref, result.endedAtMs);
    const { reason, exitCode, artifacts } = result;
    log.info('run ended', {
      leaseId: lease.offer.leaseId,
      reason,
      exitCode,
      cumulativeMs,
      artifacts: artifacts.length,
    });
    await handle
      ?.dispose()
      .catch((error: unknown) => log.warn('run was not wiped', { leaseId: lease.offer.leaseId, error: String(error) }));
    return { type: 'exited', reason, exitCode, cumulativeMs, artifacts };
  }

  reconnected(): void {
    for (const shipper of [...this.finished, ...this.shippers]) shipper.reconnected();
    this.finished = this.finished.filter((shipper) => !shipper.isDone);
  }

  private async start(lease: HeldLease): Promise<RunHandle> {
    const { driver, blobs, policy } = this.parts;
    const { offer } = lease;
    throwIfStopped(lease);
    const source = blobs.sourceFor(lease.ref);
    const image = await driver.prepareImage(offer.imageDigest, source);
    throwIfStopped(lease);
    const handle = await driver.start(
      {
        runId: offer.leaseId,
        image,
        command: offer.command,
        env: offer.env,
        limits: limitsOf(offer, policy),
        network: offer.network,
        inputs: offer.inputs,
        gpuUuids: policy.emulated ? [] : offer.gpuUuids,
      },
      source,
    );
    lease.attach(handle);
    return handle;
  }

  private async follow(lease: HeldLease, handle: RunHandle): Promise<RunResult> {
    const { meter, reports, link } = this.parts;
    const shipper = new LogShipper(lease.ref, link);
    this.shippers.add(shipper);
    try {
      handle.onLog((chunk) => shipper.push(chunk));
      const startedAtMs = await handle.started;
      if (startedAtMs !== null) {
        meter.start(lease.ref, startedAtMs);
        reports.add(lease.ref, { type: 'running' }, (outcome) => {
          if (outcome === 'STALE' || outcome === 'REFUSED') lease.stop('FENCED');
        });
      }
      const exit = await handle.exited;
      shipper.end(exit.logCut);
      return await this.deliver(lease, handle, exit);
    } finally {
      this.shippers.delete(shipper);
      this.keepFinished(shipper);
    }
  }

  /** The platform has every artifact before the exit is reported, so that a result is never a promise. */
  private async deliver(lease: HeldLease, handle: RunHandle, exit: RunExit): Promise<RunResult> {
    const exitCode = exit.exitCode ?? UNKNOWN_EXIT_CODE;
    const ended = (reason: ExitReason, artifacts: readonly ReportedArtifact[] = []): RunResult => ({
      reason,
      exitCode,
      endedAtMs: exit.endedAtMs,
      artifacts,
    });
    if (!isSuccess(exit.reason, exit.exitCode) || lease.offer.outputPath === '') return ended(exit.reason);
    const { policy, blobs, log } = this.parts;
    try {
      const found = await handle.collect(lease.offer.outputPath, {
        maxFiles: policy.artifactFiles,
        maxBytes: policy.artifactBytes,
      });
      for (const skipped of found.skipped) log.warn('output left out', { leaseId: lease.offer.leaseId, ...skipped });
      for (const artifact of found.artifacts) await blobs.upload(lease.ref, artifact, () => lease.stopped === null);
      return ended(
        exit.reason,
        found.artifacts.map(({ path, sizeBytes, digest }) => ({ path, sizeBytes, digest })),
      );
    } catch (error) {
      if (error instanceof OutputInvalid) return ended('OUTPUT_INVALID');
      if (error instanceof UploadRefused) return ended(lease.stopped ?? 'FENCED');
      log.warn('artifacts were not delivered', { leaseId: lease.offer.leaseId, error: String(error) });
      return ended('NODE_LOST');
    }
  }

  /** Those that are done go first when there are too many; while the agent is cut off no new runs come. */
  private keepFinished(shipper: LogShipper): void {
    const kept = [...this.finished, shipper];
    const tooMany = kept.length - FINISHED_LOGS_MAX;
    this.finished = kept.filter((one, index) => !one.isDone || index >= tooMany);
  }

  private endWithoutRun(lease: HeldLease, error: unknown): RunResult {
    const reason = lease.stopped ?? reasonOf(error);
    this.parts.log.warn('run did not start', { leaseId: lease.offer.leaseId, reason, error: String(error) });
    return { reason, exitCode: UNKNOWN_EXIT_CODE, endedAtMs: this.parts.clock.nowMs(), artifacts: [] };
  }
}

class LeaseStopped extends Error {}

function throwIfStopped(lease: HeldLease): void {
  if (lease.stopped !== null) throw new LeaseStopped(`lease ${lease.offer.leaseId} was stopped`);
}

function reasonOf(error: unknown): ExitReason {
  if (error instanceof ImageInvalid || error instanceof InputInvalid) return error.reason;
  if (error instanceof BlobMissing) return 'IMAGE_NOT_FOUND';
  if (error instanceof RunUnsupported) return 'START_FAILED';
  return 'NODE_LOST';
}

function limitsOf(offer: LeaseOffer, policy: RunPolicy): RunLimits {
  return {
    memoryBytes: offer.memoryMib * 2 ** 20,
    cpuMilli: offer.cpuMilli,
    pids: policy.pids,
    scratchBytes: offer.scratchMib * 2 ** 20,
    scratchInodes: policy.scratchInodes,
    inputBytes: policy.inputBytes,
    logBytes: policy.logBytes,
    maxWallMs: offer.maxRunSeconds * 1_000,
  };
}
