import type { FencingFloor } from '../domain/fencing-floor';
import type { BlobRef } from '../domain/oci-manifest';
import type { ExitReason, KillReason } from '../domain/exit-reason';
import type { UsageTick } from '../domain/usage-counter';
import type { AgentMessage, LeaseRef, Report } from './messages';

/** Milliseconds that never go back and do not know the wall time; the same clock in the agent and in its keepers. */
export abstract class MonotonicClock {
  abstract nowMs(): number;
}

/** One-shot alarms of the monotonic clock. */
export abstract class Alarms {
  /** Calls `fire` once after `delayMs`; the returned function takes it back. */
  abstract after(delayMs: number, fire: () => void): () => void;
}

/** Bytes named by their content. */
export abstract class BlobSource {
  /** Streams a blob. Throws BlobMissing when the platform does not have it; other errors may be tried again. The receiver checks size and digest. */
  abstract fetch(blob: { readonly digest: string }): AsyncIterable<Uint8Array>;
}

/** The platform has no blob under this digest, and asking again will not help. */
export class BlobMissing extends Error {}

/** Hard limits of one run; each is enforced by the kernel or by the keeper, none by the task's good will. */
export interface RunLimits {
  readonly memoryBytes: number;
  readonly cpuMilli: number;
  readonly pids: number;
  /** /scratch and /tmp together. */
  readonly scratchBytes: number;
  readonly scratchInodes: number;
  /** All inputs together. */
  readonly inputBytes: number;
  readonly logBytes: number;
  readonly maxWallMs: number;
}

export interface RunInput {
  readonly digest: string;
  /** Relative, below /inputs. */
  readonly path: string;
}

export interface RunSpec {
  /** The lease; also the name of the container. */
  readonly runId: string;
  readonly image: PreparedImage;
  /** Replaces entrypoint and command of the image when not empty. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly limits: RunLimits;
  readonly network: boolean;
  readonly inputs: readonly RunInput[];
  /** GPUs that the task must see; emulated ones are not devices and stay out of this list. */
  readonly gpuUuids: readonly string[];
}

export interface PreparedImage {
  readonly digest: string;
  /** Driver-specific: the root file system of runc, the image id of Docker. */
  readonly location: string;
  readonly env: readonly string[];
  readonly command: readonly string[];
}

export interface RunExit {
  readonly reason: ExitReason;
  readonly exitCode: number | null;
  readonly oomKills: number;
  /** Processor time of the whole container. */
  readonly cpuMs: number;
  readonly scratchUsedBytes: number;
  readonly logBytes: number;
  readonly logCut: boolean;
  /** Monotonic; null when it never ran. */
  readonly startedAtMs: number | null;
  readonly endedAtMs: number;
  /** For the customer; never the runtime's own words. */
  readonly message: string;
}

/** A file that a run left behind, still on this node. */
export interface CollectedArtifact extends BlobRef {
  /** Relative to the output path. */
  readonly path: string;
  open(): AsyncIterable<Uint8Array>;
}

export interface Collection {
  readonly artifacts: readonly CollectedArtifact[];
  /** Paths that were left out, each with the reason: links, devices, odd names. */
  readonly skipped: readonly { readonly path: string; readonly why: string }[];
}

export interface ArtifactLimits {
  readonly maxFiles: number;
  readonly maxBytes: number;
}

/** A container that was asked for. `exited` always settles and never rejects. */
export interface RunHandle {
  /** Monotonic time of the start; null when it ended before it ran. */
  readonly started: Promise<number | null>;
  readonly exited: Promise<RunExit>;
  /** Calls back for what the log holds so far and everything that follows, in order, until the end. */
  onLog(listen: (chunk: Uint8Array) => void): void;
  /** The keeper kills the container at this monotonic time, also if the agent is stuck; a later time replaces it. */
  armFence(atMonotonicMs: number): void;
  kill(reason: KillReason): void;
  /** After `exited` only. `outputPath` is absolute, below /scratch. Throws OutputInvalid. */
  collect(outputPath: string, limits: ArtifactLimits): Promise<Collection>;
  /** Wipes scratch, inputs and log. After this the node keeps nothing of the run. */
  dispose(): Promise<void>;
}

/** The output of a run passes its limits or its path is not a plain folder. */
export class OutputInvalid extends Error {
  readonly reason = 'OUTPUT_INVALID';
}

/** Inputs that cannot be laid out: a path that leaves /inputs, a blob that is missing or whose bytes are not what its digest says. */
export class InputInvalid extends Error {
  readonly reason = 'INPUT_INVALID';
}

/** A request that this driver on this node can never serve (network, GPU passthrough). */
export class RunUnsupported extends Error {
  constructor(
    readonly reason: 'NETWORK_UNAVAILABLE' | 'GPU_PASSTHROUGH_UNAVAILABLE',
    message: string,
  ) {
    super(message);
  }
}

/** Runs OCI images in a sandbox. */
export abstract class ContainerDriver {
  abstract readonly name: 'runc' | 'docker';
  /** Whether a task can be given network at all. */
  abstract readonly hasNetwork: boolean;
  /** Fetches, checks and unpacks an image once per digest. Throws ImageInvalid, BlobMissing. */
  abstract prepareImage(digest: string, blobs: BlobSource): Promise<PreparedImage>;
  /** Starts a container. Throws InputInvalid, RunUnsupported before anything runs; every later failure is an exit. */
  abstract start(spec: RunSpec, blobs: BlobSource): Promise<RunHandle>;
  /** Kills and wipes everything of earlier lives of this agent; returns the run ids it found. */
  abstract sweep(): Promise<readonly string[]>;
}

/** The stream to the platform. */
export abstract class PlatformLink {
  /** Hands a message to the stream; false when there is none just now, and then nothing was sent. */
  abstract send(message: AgentMessage): boolean;
}

/** Reports that the platform has not decided about yet; they outlive the agent. */
export abstract class ReportStore {
  /** Oldest first. */
  abstract load(): readonly Report[];
  /** On disk when it returns. */
  abstract save(report: Report): void;
  abstract remove(reportId: string): void;
}

/** Usage ticks, signed in blocks and kept on disk until acknowledged. */
export abstract class UsageSpool {
  /** Signs and stores one block. A full spool drops it: the counters are cumulative, so the next block heals the loss. */
  abstract append(ticks: readonly UsageTick[]): void;
  /** Unacknowledged blocks, oldest first. */
  abstract pending(): readonly SignedBlock[];
  abstract acknowledge(bootId: string, lastSequence: number): void;
}

export interface SignedBlock {
  readonly bootId: string;
  readonly lastSequence: number;
  /** SignedUsageBlock, encoded. */
  readonly bytes: Uint8Array;
}

/** The tokens that this node's GPUs have accepted, over all lives of the agent. */
export abstract class FloorStore {
  abstract load(): FencingFloor;
  /** On disk when it returns: an accepted token that a crash forgets could be accepted twice. */
  abstract save(floor: FencingFloor): void;
}

/** Leases that this agent holds, remembered so that the next life can say what became of them. */
export abstract class LeaseJournal {
  abstract load(): readonly JournaledLease[];
  abstract save(lease: JournaledLease): void;
  abstract remove(leaseId: string): void;
}

export interface JournaledLease extends LeaseRef {
  readonly cumulativeMs: number;
}

/** Stores artifacts and reads blobs on behalf of a held lease. */
export abstract class BlobExchange {
  abstract sourceFor(lease: LeaseRef): BlobSource;
  /** Returns when the platform has the content. Tries again while it cannot be reached and `wanted` says so. Throws UploadRefused, OutputInvalid when the platform has no room for it. */
  abstract upload(lease: LeaseRef, artifact: CollectedArtifact, wanted: () => boolean): Promise<void>;
}

/** The platform does not take an artifact of this lease; the lease is not current, or nobody waits for it any more. */
export class UploadRefused extends Error {}

/** Structured log lines of the agent itself; never a secret, never a container's output. */
export abstract class AgentLog {
  abstract info(event: string, fields: Readonly<Record<string, unknown>>): void;
  abstract warn(event: string, fields: Readonly<Record<string, unknown>>): void;
}
