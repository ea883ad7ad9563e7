import { toTimestamp } from '@daya/proto';
import type * as proto from '@daya/proto/metering';
import type { Discrepancy, RecordedWindow, RefusedTick } from '../../application/ports';

const timestampOf = (ms: number) => toTimestamp(new Date(ms));

export const toProtoUsage = (row: RecordedWindow): proto.UsageRecord => ({
  usageId: row.usageId,
  leaseId: row.leaseId,
  jobId: row.jobId,
  organisationId: row.organisationId,
  providerOrganisationId: row.providerOrganisationId,
  nodeId: row.nodeId,
  windowStartTime: timestampOf(row.window.startMs),
  windowEndTime: timestampOf(row.window.endMs),
  version: row.window.version,
  schedulerMs: row.schedulerMs,
  agentMs: row.agentMs,
  billableMs: row.billableMs,
  cumulativeBillableMs: row.window.billableCumulativeMs,
  final: row.window.final,
  estimated: row.window.estimated,
  mscuMs: row.mscuMs,
});

export const toProtoDiscrepancy = ({ createTime, ...row }: Discrepancy): proto.Discrepancy => ({
  ...row,
  createTime: toTimestamp(createTime),
});

export const toProtoRefusedTick = ({ tick, reason }: RefusedTick): proto.RefusedTick => ({
  nodeId: tick.nodeId,
  bootId: tick.bootId,
  sequence: tick.sequence,
  leaseId: tick.leaseId,
  leaseToken: tick.leaseToken,
  cumulativeMs: tick.cumulativeMs,
  reason,
  receiveTime: timestampOf(tick.receiveMs),
});
