import type { LeaseRow, RecordedWindow, RefusedTick, Discrepancy } from '../../application/ports';
import type { Tick } from '../../domain/tick';
import type { UsageWindow } from '../../domain/usage';

export interface LeaseDbRow {
  lease_id: string;
  lease_token: string;
  node_id: string;
  organisation_id: string;
  provider_organisation_id: string;
  job_id: string;
  gpu_milli: number;
  gpu_model_id: string;
  mscu: number;
  start_time: Date | null;
  expire_time: Date;
  end_time: Date | null;
  end_heard_time: Date | null;
  lost: boolean;
  due_time: Date | null;
}

export const toLease = (row: LeaseDbRow): LeaseRow => ({
  leaseId: row.lease_id,
  leaseToken: BigInt(row.lease_token),
  nodeId: row.node_id,
  organisationId: row.organisation_id,
  providerOrganisationId: row.provider_organisation_id,
  jobId: row.job_id,
  gpuMilli: row.gpu_milli,
  mscu: row.mscu,
  startMs: row.start_time?.getTime(),
  expireMs: row.expire_time.getTime(),
  endMs: row.end_time?.getTime(),
  endHeardMs: row.end_heard_time?.getTime(),
  lost: row.lost,
  gpuModelId: row.gpu_model_id,
  dueMs: row.due_time?.getTime(),
});

export interface TickRow {
  node_id: string;
  boot_id: string;
  sequence: string;
  lease_id: string;
  lease_token: string;
  cumulative_ms: string;
  final?: boolean;
  receive_time: Date;
  reason?: string;
  position?: string;
}

export const toTick = (row: TickRow): Tick => ({
  nodeId: row.node_id,
  bootId: row.boot_id,
  sequence: BigInt(row.sequence),
  leaseId: row.lease_id,
  leaseToken: BigInt(row.lease_token),
  cumulativeMs: BigInt(row.cumulative_ms),
  final: row.final ?? false,
  receiveMs: row.receive_time.getTime(),
});

export const toRefusedTick = (row: TickRow): RefusedTick => ({ tick: toTick(row), reason: row.reason ?? '' });

export interface WindowRow {
  usage_id: string;
  lease_id: string;
  window_start: Date;
  window_end: Date;
  version: number;
  scheduler_ms: string;
  agent_ms: string;
  billable_ms: string;
  agent_cumulative_ms: string;
  billable_cumulative_ms: string;
  mscu_ms: string;
  final: boolean;
  estimated: boolean;
  job_id: string;
  organisation_id: string;
  provider_organisation_id: string;
  node_id: string;
}

export const toWindow = (row: WindowRow): UsageWindow => ({
  startMs: row.window_start.getTime(),
  endMs: row.window_end.getTime(),
  version: row.version,
  agentCumulativeMs: BigInt(row.agent_cumulative_ms),
  billableCumulativeMs: BigInt(row.billable_cumulative_ms),
  final: row.final,
  estimated: row.estimated,
});

export const toRecordedWindow = (row: WindowRow): RecordedWindow => ({
  usageId: row.usage_id,
  leaseId: row.lease_id,
  jobId: row.job_id,
  organisationId: row.organisation_id,
  providerOrganisationId: row.provider_organisation_id,
  nodeId: row.node_id,
  window: toWindow(row),
  schedulerMs: BigInt(row.scheduler_ms),
  agentMs: BigInt(row.agent_ms),
  billableMs: BigInt(row.billable_ms),
  mscuMs: BigInt(row.mscu_ms),
});

export interface DiscrepancyRow {
  discrepancy_id: string;
  lease_id: string;
  node_id: string;
  scheduler_ms: string;
  agent_ms: string;
  charged_ms: string;
  create_time: Date;
}

export const toDiscrepancy = (row: DiscrepancyRow): Discrepancy => ({
  discrepancyId: row.discrepancy_id,
  leaseId: row.lease_id,
  nodeId: row.node_id,
  schedulerMs: BigInt(row.scheduler_ms),
  agentMs: BigInt(row.agent_ms),
  chargedMs: BigInt(row.charged_ms),
  createTime: row.create_time,
});
