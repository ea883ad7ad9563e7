import type {
  BlockSummary,
  HeldLease,
  LeaseStop,
  Report,
  ReportOutcome,
  SignedBlock,
  SignedOffer,
} from '../domain/frames';
import type { LeasePermit } from '../domain/lease-permit';
import type { RunLog } from '../domain/run-log';

/** A node as its verified client certificate names it. */
export interface NodeCertificate {
  readonly nodeId: string;
  readonly generation: number;
  readonly expireTime: Date;
}

export type CertificateId = Pick<NodeCertificate, 'nodeId' | 'generation'>;

export interface CertificateState {
  readonly valid: boolean;
  /** Raw Ed25519, 32 bytes; empty when registry knows no such generation. */
  readonly publicKey: Uint8Array;
  readonly emulated: boolean;
}

export interface Enrolment {
  readonly nodeId: string;
  readonly certificateChain: string;
  readonly schedulerPublicKey: Uint8Array;
  readonly generation: number;
  readonly expireTime: Date;
}

export interface Renewal {
  readonly nodeId: string;
  readonly generation: number;
  readonly certificateRequest: Uint8Array;
  readonly signature: Uint8Array;
}

/** The registry service. Every method throws its refusals as DomainError, `unavailable` when it does not answer. */
export abstract class Registry {
  /** Up to 100; answers in the order of the questions. A node that is not known has no good certificate. */
  abstract checkCertificates(certificates: readonly CertificateId[]): Promise<readonly CertificateState[]>;
  abstract enrol(token: string, certificateRequest: Uint8Array): Promise<Enrolment>;
  abstract renew(renewal: Renewal): Promise<Omit<Enrolment, 'nodeId' | 'schedulerPublicKey'>>;
  /** The same request id and inventory may be reported again. */
  abstract reportInventory(requestId: string, nodeId: string, inventory: Uint8Array): Promise<void>;
}

export interface LeaseReport {
  readonly nodeId: string;
  readonly receiveTime: Date;
  readonly report: Report;
}

export interface ReportResult {
  readonly outcome: ReportOutcome;
  readonly reason: string;
}

export interface NodeHeartbeat {
  readonly nodeId: string;
  readonly receiveTime: Date;
  readonly leases: readonly HeldLease[];
  /** The first one of this life of the agent. */
  readonly agentStarted: boolean;
  readonly draining: boolean;
}

export interface NodeRenewal {
  readonly renewedLeaseIds: readonly string[];
  readonly stops: readonly LeaseStop[];
}

/** What agents must be told about leases, and what a lease lets its node do. */
export interface LeaseOrders {
  readonly offers: readonly { readonly offer: SignedOffer; readonly permit: LeasePermit }[];
  readonly stops: readonly LeaseStop[];
}

/** One run of a task, as far as its log is concerned. */
export interface TaskRun {
  readonly runNumber: number;
  readonly leaseId: string;
  readonly over: boolean;
}

/** The calling member's word, opaque here, that a peer needs to answer on their behalf. */
export interface OnBehalfOf {
  readonly callerToken: string | undefined;
}

/** The scheduler service. Throws its refusals as DomainError, `unavailable` when it does not answer. */
export abstract class Scheduler {
  /** Results stand in the order of the reports. */
  abstract reportLeases(reports: readonly LeaseReport[]): Promise<readonly ReportResult[]>;
  /** Renewals stand in the order of the heartbeats; undefined for a node that the scheduler does not answer for. */
  abstract renewLeases(heartbeats: readonly NodeHeartbeat[]): Promise<readonly (NodeRenewal | undefined)[]>;
  abstract leaseOrders(leaseIds: readonly string[]): Promise<LeaseOrders>;
  /** The task's runs, oldest first; undefined when the job has no such task. `not-found` for a foreign job. */
  abstract runsOf(jobId: string, taskIndex: number, behalf: OnBehalfOf): Promise<readonly TaskRun[] | undefined>;
  abstract registerBlob(blob: {
    requestId: string;
    organisationId: string;
    sha256: string;
    bytes: number;
  }): Promise<void>;
  abstract ownsBlob(organisationId: string, sha256: string): Promise<boolean>;
}

export interface ExpectedBlob {
  readonly sha256: string;
  /** Undefined when the sender did not say. */
  readonly bytes: number | undefined;
}

/** Bytes named by their SHA-256. A blob is there as a whole, or not at all. */
export abstract class ArtifactStore {
  /**
   * Takes as many bytes as come. Throws `invalid` BLOB_HASH_MISMATCH, BLOB_SIZE_MISMATCH, `exhausted` BLOB_TOO_LARGE,
   * STORE_FULL, and whatever `chunks` throws; nothing is kept then.
   */
  abstract put(expected: ExpectedBlob, chunks: AsyncIterable<Uint8Array>): Promise<number>;
  /** Bytes of a blob; undefined when it is not there. */
  abstract sizeOf(sha256: string): Promise<number | undefined>;
  /** From an offset to the end. Throws `not-found` BLOB_NOT_FOUND, `invalid` OFFSET_OUT_OF_RANGE. */
  abstract read(sha256: string, offsetBytes: number): AsyncIterable<Uint8Array>;
}

/** Permits of leases and what their nodes uploaded, across restarts of this process. */
export abstract class LeasePermits {
  /** Keeps the first permit of a lease; resolves when it would outlive this process. */
  abstract keep(permit: LeasePermit): Promise<void>;
  /** Resolves, or rejects, with a `keep` that is under way. */
  abstract kept(leaseId: string): Promise<void>;
  /** Waits for a `keep` that is under way. */
  abstract find(leaseId: string): Promise<LeasePermit | undefined>;
  abstract end(leaseId: string): Promise<void>;
  /** Throws `exhausted` LEASE_UPLOADS_TOO_MANY. */
  abstract addUpload(leaseId: string, sha256: string): Promise<void>;
  abstract uploadsOf(leaseId: string): Promise<ReadonlySet<string>>;
  /** Forgets permits that ended before the first date, and all that are older than the second. */
  abstract sweep(endedBefore: Date, keptBefore: Date): Promise<number>;
}

/** Which life of its agent a node was last heard in. */
export abstract class AgentBoots {
  abstract bootOf(nodeId: string): Promise<string | undefined>;
  abstract remember(nodeId: string, bootId: string): Promise<void>;
}

/** Logs of runs, by lease. Writes to one lease's log are in the order of the calls. */
export abstract class RunLogs {
  /** Adds what `decide` makes of the log as it is. */
  abstract write(leaseId: string, decide: (log: RunLog) => { log: RunLog; append: Uint8Array }): Promise<void>;
  /** `EMPTY_LOG` when nothing came yet. */
  abstract state(leaseId: string): Promise<RunLog>;
  /** At most `bytesMax` of the stored bytes from an offset. */
  abstract read(leaseId: string, offsetBytes: number, bytesMax: number): Promise<Uint8Array>;
  /** Resolves when this process wrote to the log, `signal` aborted or `waitMs` passed. */
  abstract changed(leaseId: string, signal: AbortSignal, waitMs: number): Promise<void>;
  abstract sweep(writtenBefore: Date): Promise<number>;
}

/** The topic of usage ticks. */
export abstract class UsageTopic {
  /** Resolves once all replicas in sync have the block; throws when they did not say so. */
  abstract publish(block: {
    readonly nodeId: string;
    readonly receiveTime: Date;
    readonly signed: SignedBlock;
  }): Promise<void>;
}

/** What needs the wire's types or Node's cryptography. */
export abstract class Blocks {
  /** Undefined when the bytes are no usage block. */
  abstract summary(block: Uint8Array): BlockSummary | undefined;
  abstract isSigned(signed: SignedBlock, publicKey: Uint8Array): boolean;
}

/** A UUID that is the same for the same parts: request ids of calls that may be made again. */
export abstract class StableIds {
  abstract of(...parts: readonly (string | Uint8Array)[]): string;
}

/** Counts for people; never labelled by ids. */
export abstract class Counters {
  abstract agents(count: number): void;
  abstract frame(kind: string): void;
  abstract dropped(kind: string, reason: string): void;
  abstract report(outcome: ReportOutcome, reason: string): void;
  abstract offer(what: 'sent' | 'missed' | 'stop'): void;
  abstract streamEnded(reason: string): void;
  /** Something failed that nobody waits for. */
  abstract failed(what: string, error: unknown): void;
}
