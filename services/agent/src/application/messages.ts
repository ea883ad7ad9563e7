import type { ExitReason } from '../domain/exit-reason';
import type { LeaseOffer, OfferRefusal } from '../domain/lease-offer';

export interface LeaseRef {
  readonly leaseId: string;
  readonly leaseToken: bigint;
}

export interface ReportedArtifact {
  readonly path: string;
  readonly sizeBytes: number;
  readonly digest: string;
}

export type ReportBody =
  | { readonly type: 'accepted' }
  | { readonly type: 'refused'; readonly reason: OfferRefusal }
  | { readonly type: 'running' }
  | {
      readonly type: 'exited';
      readonly reason: ExitReason;
      /** 0 when there is none: the reason says that it never ran or was not seen to its end. */
      readonly exitCode: number;
      readonly cumulativeMs: number;
      readonly artifacts: readonly ReportedArtifact[];
    };

/** An answer to an offer or news of a container; sent until the platform has decided about it. */
export interface Report extends LeaseRef {
  readonly reportId: string;
  readonly body: ReportBody;
}

export type AgentMessage =
  | { readonly type: 'hello'; readonly leases: readonly LeaseRef[]; readonly draining: boolean }
  | {
      readonly type: 'heartbeat';
      readonly sequence: number;
      readonly leases: readonly LeaseRef[];
      readonly draining: boolean;
    }
  | { readonly type: 'report'; readonly report: Report }
  | { readonly type: 'usage'; readonly block: Uint8Array }
  | {
      readonly type: 'log';
      readonly lease: LeaseRef;
      readonly offsetBytes: number;
      readonly data: Uint8Array;
      readonly cut: boolean;
      readonly end: boolean;
    };

/** APPLIED and DUPLICATE mean the same to the sender: it is done. */
export type ReportOutcome = 'APPLIED' | 'DUPLICATE' | 'STALE' | 'REFUSED';

export type PlatformMessage =
  | { readonly type: 'welcome'; readonly heartbeatMs: number; readonly selfFenceMs: number }
  | { readonly type: 'heartbeat-ack'; readonly sequence: number; readonly renewedLeaseIds: readonly string[] }
  | { readonly type: 'offer'; readonly offer: LeaseOffer }
  | { readonly type: 'stop'; readonly leaseId: string; readonly leaseToken: bigint; readonly reason: string }
  | { readonly type: 'report-ack'; readonly reportId: string; readonly outcome: ReportOutcome; readonly reason: string }
  | { readonly type: 'usage-ack'; readonly bootId: string; readonly lastSequence: number };
