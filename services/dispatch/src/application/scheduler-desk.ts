import type { Clock } from '@daya/kernel';
import type { LeaseStop, SignedOffer } from '../domain/frames';
import type { LeasePermit } from '../domain/lease-permit';
import {
  BATCH_BYTES_MAX,
  BATCH_QUEUE_MAX,
  HEARTBEAT_DELAY_MS,
  HEARTBEATS_PER_CALL_MAX,
  OFFER_DELAY_MS,
  OFFERS_PER_CALL_MAX,
  REPORT_DELAY_MS,
  REPORTS_PER_CALL_MAX,
} from '../domain/limits';
import { heartbeatBytes, reportBytes } from '../domain/weights';
import { Batcher } from './batcher';
import type { LeaseReport, NodeHeartbeat, NodeRenewal, ReportResult, Scheduler } from './ports';

/** What the scheduler says of one lease; nothing when it is unknown or settled. */
export interface LeaseOrder {
  readonly offer?: { readonly offer: SignedOffer; readonly permit: LeasePermit };
  readonly stop?: LeaseStop;
}

/** All of the agents' business with the scheduler, in calls of many. */
export class SchedulerDesk {
  private readonly reports: Batcher<LeaseReport, ReportResult>;
  private readonly heartbeats: Batcher<NodeHeartbeat, NodeRenewal | undefined>;
  private readonly orders: Batcher<string, LeaseOrder>;

  constructor(
    private readonly scheduler: Scheduler,
    clock: Clock,
  ) {
    const nowMs = (): number => clock.now().getTime();
    const limits = (itemsMax: number, delayMs: number, inFlight: number) => ({
      itemsMax,
      delayMs,
      inFlight,
      bytesMax: BATCH_BYTES_MAX,
      queuedMax: BATCH_QUEUE_MAX,
    });
    // One call at a time: the reports of a lease must arrive in their order.
    this.reports = new Batcher(
      limits(REPORTS_PER_CALL_MAX, REPORT_DELAY_MS, 1),
      (batch) => scheduler.reportLeases(batch),
      nowMs,
    );
    this.heartbeats = new Batcher(
      limits(HEARTBEATS_PER_CALL_MAX, HEARTBEAT_DELAY_MS, 2),
      (batch) => scheduler.renewLeases(batch),
      nowMs,
    );
    this.orders = new Batcher(limits(OFFERS_PER_CALL_MAX, OFFER_DELAY_MS, 4), (ids) => this.load(ids), nowMs);
  }

  report(report: LeaseReport): Promise<ReportResult> {
    return this.reports.add(report, reportBytes(report.report));
  }

  renew(heartbeat: NodeHeartbeat): Promise<NodeRenewal | undefined> {
    return this.heartbeats.add(heartbeat, heartbeatBytes(heartbeat.leases.length));
  }

  order(leaseId: string): Promise<LeaseOrder> {
    return this.orders.add(leaseId, leaseId.length);
  }

  private async load(leaseIds: readonly string[]): Promise<readonly LeaseOrder[]> {
    const { offers, stops } = await this.scheduler.leaseOrders([...new Set(leaseIds)]);
    const offerOf = new Map(offers.map((entry) => [entry.offer.leaseId, entry]));
    const stopOf = new Map(stops.map((stop) => [stop.leaseId, stop]));
    return leaseIds.map((leaseId) => {
      const [offer, stop] = [offerOf.get(leaseId), stopOf.get(leaseId)];
      return { ...(offer && { offer }), ...(stop && { stop }) };
    });
  }
}
