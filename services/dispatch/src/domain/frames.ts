/** What agents say and hear, free of the wire's types. Bytes that dispatch only passes on stay bytes. */

export interface HeldLease {
  readonly leaseId: string;
  readonly leaseToken: bigint;
}

export interface Hello {
  readonly protocolVersion: number;
  readonly agentVersion: string;
  readonly bootId: string;
  readonly emulated: boolean;
  /** Encoded; undefined when the agent sent none. */
  readonly inventory: Uint8Array | undefined;
  readonly leases: readonly HeldLease[];
  readonly draining: boolean;
}

export interface Heartbeat {
  readonly sequence: bigint;
  readonly leases: readonly HeldLease[];
  readonly draining: boolean;
}

export interface Artifact {
  readonly path: string;
  readonly bytes: bigint;
  readonly sha256: string;
}

export type ReportBody =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'running' }
  | {
      readonly kind: 'exited';
      readonly exitCode: number;
      readonly reason: string;
      readonly cumulativeMs: bigint;
      readonly artifacts: readonly Artifact[];
    };

export interface Report {
  readonly reportId: string;
  readonly leaseId: string;
  readonly leaseToken: bigint;
  /** Undefined: the agent said nothing that dispatch knows. */
  readonly body: ReportBody | undefined;
}

export interface SignedBlock {
  readonly block: Uint8Array;
  readonly signature: Uint8Array;
  readonly generation: number;
}

/** What dispatch reads of a usage block; the bytes themselves go on. */
export interface BlockSummary {
  readonly nodeId: string;
  readonly bootId: string;
  readonly firstSequence: bigint;
  readonly tickCount: number;
}

export interface LogChunk {
  readonly leaseId: string;
  readonly leaseToken: bigint;
  readonly offsetBytes: bigint;
  readonly data: Uint8Array;
  readonly cut: boolean;
  readonly end: boolean;
}

export type AgentFrame =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'heartbeat'; readonly heartbeat: Heartbeat }
  | { readonly kind: 'report'; readonly report: Report }
  | { readonly kind: 'usage'; readonly block: SignedBlock }
  | { readonly kind: 'log'; readonly chunk: LogChunk }
  /** Of a newer protocol; ignored. */
  | { readonly kind: 'unknown' };

export type ReportOutcome = 'APPLIED' | 'DUPLICATE' | 'STALE' | 'REFUSED';

/** An offer as the scheduler signed it. */
export interface SignedOffer {
  readonly leaseId: string;
  readonly nodeId: string;
  readonly offer: Uint8Array;
  readonly signature: Uint8Array;
}

export interface LeaseStop {
  readonly leaseId: string;
  readonly nodeId: string;
  readonly leaseToken: bigint;
  readonly reason: string;
}

export type ServerFrame =
  | {
      readonly kind: 'welcome';
      readonly protocolVersion: number;
      readonly heartbeatMs: number;
      readonly selfFenceMs: number;
      readonly nodeId: string;
    }
  | { readonly kind: 'heartbeat-ack'; readonly sequence: bigint; readonly renewedLeaseIds: readonly string[] }
  | { readonly kind: 'offer'; readonly offer: SignedOffer }
  | { readonly kind: 'stop'; readonly stop: LeaseStop }
  | { readonly kind: 'report-ack'; readonly reportId: string; readonly outcome: ReportOutcome; readonly reason: string }
  | { readonly kind: 'usage-ack'; readonly bootId: string; readonly lastSequence: bigint }
  | { readonly kind: 'redirect'; readonly agentAddress: string };
