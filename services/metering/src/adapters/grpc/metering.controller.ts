import { FieldChecks } from '@daya/kernel';
import { GrpcService, type CallContext, type GrpcHandlers } from '@daya/nest';
import { PageTokens } from '@daya/postgres';
import { MeteringServiceService } from '@daya/proto/metering';
import type * as proto from '@daya/proto/metering';
import { ReadMetering } from '../../application/read-metering';
import { toProtoDiscrepancy, toProtoRefusedTick, toProtoUsage } from '../proto/messages';

@GrpcService(MeteringServiceService, [ReadMetering, PageTokens])
export class MeteringController implements GrpcHandlers<typeof MeteringServiceService> {
  constructor(
    private readonly read: ReadMetering,
    private readonly pages: PageTokens,
  ) {}

  async listUsage(request: proto.ListUsageRequest, { caller }: CallContext): Promise<proto.ListUsageResponse> {
    const checks = new FieldChecks().uuid('job_id', request.jobId);
    const list = `usage/${request.jobId}`;
    const { rows, next } = await this.read.usage(caller, request.jobId, this.pages.read(request, list, { checks }));
    return { usage: rows.map(toProtoUsage), nextPageToken: this.pages.write(next, list) };
  }

  async listDiscrepancies(
    request: proto.ListDiscrepanciesRequest,
    { caller }: CallContext,
  ): Promise<proto.ListDiscrepanciesResponse> {
    const { rows, next } = await this.read.discrepancies(caller, this.pages.read(request, 'discrepancies'));
    return { discrepancies: rows.map(toProtoDiscrepancy), nextPageToken: this.pages.write(next, 'discrepancies') };
  }

  async listRefusedTicks(request: proto.ListRefusedTicksRequest): Promise<proto.ListRefusedTicksResponse> {
    const checks = new FieldChecks().optionalUuid('node_id', request.nodeId);
    const list = `refused-ticks/${request.nodeId}`;
    const { rows, next } = await this.read.refusedTicks(request.nodeId, this.pages.read(request, list, { checks }));
    return { ticks: rows.map(toProtoRefusedTick), nextPageToken: this.pages.write(next, list) };
  }
}
