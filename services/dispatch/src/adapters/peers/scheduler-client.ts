import type { GrpcClient } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import {
  RunState,
  type BlobServiceService,
  type LeaseServiceService,
  type SchedulerServiceService,
} from '@daya/proto/scheduler';
import {
  Scheduler,
  type LeaseOrders,
  type LeaseReport,
  type NodeHeartbeat,
  type NodeRenewal,
  type OnBehalfOf,
  type ReportResult,
  type TaskRun,
} from '../../application/ports';
import { LruMap } from '../files/lru-map';
import { fromProtoOffer, fromProtoOutcome, fromProtoStop, toProtoReport } from '../proto-leases';
import { refusing } from './registry-client';

const OWNED_MAX = 50_000;
const OVER: ReadonlySet<RunState> = new Set([
  RunState.SUCCEEDED,
  RunState.FAILED,
  RunState.CANCELLED,
  RunState.LOST,
  RunState.REFUSED,
]);

export interface SchedulerStubs {
  readonly leases: GrpcClient<typeof LeaseServiceService>;
  readonly blobs: GrpcClient<typeof BlobServiceService>;
  readonly jobs: GrpcClient<typeof SchedulerServiceService>;
}

/** The scheduler over gRPC, as dispatch itself, but for `runsOf`. */
export class SchedulerClient extends Scheduler {
  /** Who owns a blob owns it for good. */
  private readonly owned = new LruMap<true>(OWNED_MAX);

  constructor(private readonly stubs: SchedulerStubs) {
    super();
  }

  override async reportLeases(reports: readonly LeaseReport[]): Promise<readonly ReportResult[]> {
    const { results } = await refusing(this.stubs.leases.reportLeases({ reports: reports.map(toProtoReport) }));
    return results.map(({ outcome, reason }) => ({ outcome: fromProtoOutcome(outcome), reason }));
  }

  override async renewLeases(heartbeats: readonly NodeHeartbeat[]): Promise<readonly (NodeRenewal | undefined)[]> {
    const request = {
      heartbeats: heartbeats.map(({ receiveTime, leases, ...rest }) => ({
        ...rest,
        receiveTime: toTimestamp(receiveTime),
        leases: leases.map((lease) => ({ ...lease })),
      })),
    };
    const { renewals } = await refusing(this.stubs.leases.renewLeases(request));
    const byNode = new Map(renewals.map((renewal) => [renewal.nodeId, renewal]));
    return heartbeats.map(({ nodeId }) => {
      const renewal = byNode.get(nodeId);
      return (
        renewal && {
          renewedLeaseIds: renewal.renewed.map(({ leaseId }) => leaseId),
          stops: renewal.stops.map(fromProtoStop),
        }
      );
    });
  }

  override async leaseOrders(leaseIds: readonly string[]): Promise<LeaseOrders> {
    const { offers, stops } = await refusing(this.stubs.leases.getLeaseOffers({ leaseIds: [...leaseIds] }));
    return { offers: offers.map(fromProtoOffer), stops: stops.map(fromProtoStop) };
  }

  override async runsOf(
    jobId: string,
    taskIndex: number,
    { callerToken }: OnBehalfOf,
  ): Promise<readonly TaskRun[] | undefined> {
    const context = { deadline: undefined, signal: new AbortController().signal, callerToken };
    const { job } = await refusing(this.stubs.jobs.getJob({ jobId }, { context }));
    const task = job?.tasks.find((one) => one.taskIndex === taskIndex);
    return task?.runs.map(({ runNumber, leaseId, state }) => ({ runNumber, leaseId, over: OVER.has(state) }));
  }

  override async registerBlob(blob: {
    requestId: string;
    organisationId: string;
    sha256: string;
    bytes: number;
  }): Promise<void> {
    await refusing(this.stubs.blobs.registerBlob({ ...blob, bytes: BigInt(blob.bytes) }));
    this.owned.set(`${blob.organisationId}/${blob.sha256}`, true);
  }

  override async ownsBlob(organisationId: string, sha256: string): Promise<boolean> {
    const key = `${organisationId}/${sha256}`;
    if (this.owned.get(key) === true) return true;
    const { owned } = await refusing(this.stubs.blobs.checkBlob({ organisationId, sha256 }));
    if (owned) this.owned.set(key, true);
    return owned;
  }
}
