import { GrpcService, type GrpcHandlers } from '@daya/nest';
import type * as proto from '@daya/proto/scheduler';
import { LeaseReportOutcome, LeaseServiceService } from '@daya/proto/scheduler';
import { GetLeaseOffers, type LeaseOffer } from '../../application/get-lease-offers';
import { RenewLeases } from '../../application/renew-leases';
import { ReportLeases } from '../../application/report-leases';
import type { ReportOutcome } from '../../domain/report';
import { encodeOffer, toProtoRenewal, toProtoStop } from '../proto-jobs';
import { fromProtoHeartbeats, fromProtoReports } from '../proto-requests';
import { SchedulerKey } from '../scheduler-key';

const OUTCOME: Readonly<Record<ReportOutcome, LeaseReportOutcome>> = LeaseReportOutcome;

@GrpcService(LeaseServiceService, [GetLeaseOffers, ReportLeases, RenewLeases, SchedulerKey])
export class LeaseController implements GrpcHandlers<typeof LeaseServiceService> {
  constructor(
    private readonly offers: GetLeaseOffers,
    private readonly report: ReportLeases,
    private readonly renew: RenewLeases,
    private readonly key: SchedulerKey,
  ) {}

  async getLeaseOffers({ leaseIds }: proto.GetLeaseOffersRequest): Promise<proto.GetLeaseOffersResponse> {
    const { offers, stops } = await this.offers.execute(leaseIds);
    return { offers: offers.map((offer) => this.signed(offer)), stops: stops.map(toProtoStop) };
  }

  async reportLeases({ reports }: proto.ReportLeasesRequest): Promise<proto.ReportLeasesResponse> {
    const results = await this.report.execute(fromProtoReports(reports));
    return { results: results.map((result) => ({ ...result, outcome: OUTCOME[result.outcome] })) };
  }

  async renewLeases({ heartbeats }: proto.RenewLeasesRequest): Promise<proto.RenewLeasesResponse> {
    return { renewals: (await this.renew.execute(fromProtoHeartbeats(heartbeats))).map(toProtoRenewal) };
  }

  private signed(offer: LeaseOffer): proto.SignedLeaseOffer {
    const bytes = Buffer.from(encodeOffer(offer));
    return { leaseId: offer.terms.leaseId, nodeId: offer.terms.nodeId, offer: bytes, signature: this.key.sign(bytes) };
  }
}
