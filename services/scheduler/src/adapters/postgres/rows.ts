import type { Job, Task } from '../../domain/job';
import type { JobSpec } from '../../domain/job-spec';
import type { LeaseTerms, Run, StopReason } from '../../domain/lease';
import type { Gpu, MarketNode, MarketOffer, Occupation } from '../../domain/market';
import type { QuotedTask } from '../../domain/quote';
import type { Fault, JobState, RunState, TaskState } from '../../domain/states';

/** bigint columns arrive as text; only this file turns them into bigint. */
type Int8 = string;

/** A specification in jsonb: its one bigint is decimal text. */
export const specToJson = (spec: JobSpec): string =>
  JSON.stringify(spec, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));

type StoredSpec = Omit<JobSpec, 'requirements'> & {
  requirements: Omit<JobSpec['requirements'], 'maxPriceMicrosPerGpuHour'> & { maxPriceMicrosPerGpuHour: string };
};

export function specFromJson(stored: unknown): JobSpec {
  const spec = stored as StoredSpec;
  const { maxPriceMicrosPerGpuHour: limit } = spec.requirements;
  return {
    ...spec,
    finalTask: spec.finalTask,
    requirements: { ...spec.requirements, maxPriceMicrosPerGpuHour: BigInt(limit) },
  };
}

export const JOB_COLUMNS = `j.job_id, j.organisation_id, j.project_id, j.state, j.spec, j.quote_id, j.quote_micros, j.reason, j.canary_node_id,
  j.create_time, j.end_time, j.version`;

export interface JobRow {
  readonly job_id: string;
  readonly organisation_id: string;
  readonly project_id: string;
  readonly state: JobState;
  readonly spec: unknown;
  readonly quote_id: string | null;
  readonly quote_micros: Int8;
  readonly reason: string;
  readonly canary_node_id: string | null;
  readonly create_time: Date;
  readonly end_time: Date | null;
  readonly version: Int8;
}

export const toJob = (row: JobRow): Job => ({
  jobId: row.job_id,
  organisationId: row.organisation_id,
  projectId: row.project_id,
  state: row.state,
  spec: specFromJson(row.spec),
  quoteId: row.quote_id ?? '',
  quoteMicros: BigInt(row.quote_micros),
  reason: row.reason,
  canaryNodeId: row.canary_node_id ?? '',
  createTime: row.create_time,
  endTime: row.end_time ?? undefined,
  version: BigInt(row.version),
});

export const TASK_COLUMNS = `t.task_id, t.job_id, t.task_index, t.state, t.reason, t.price_micros_max, t.run_count, t.failure_count, t.fault_count,
  t.lost_count, t.used_ms`;

export interface TaskRow {
  readonly task_id: string;
  readonly job_id: string;
  readonly task_index: number;
  readonly state: TaskState;
  readonly reason: string;
  readonly price_micros_max: Int8;
  readonly run_count: number;
  readonly failure_count: number;
  readonly fault_count: number;
  readonly lost_count: number;
  readonly used_ms: Int8;
}

export const toTask = (row: TaskRow): Task => ({
  taskId: row.task_id,
  jobId: row.job_id,
  taskIndex: row.task_index,
  state: row.state,
  reason: row.reason,
  priceMicrosMax: BigInt(row.price_micros_max),
  runCount: row.run_count,
  failureCount: row.failure_count,
  faultCount: row.fault_count,
  lostCount: row.lost_count,
  usedMs: Number(row.used_ms),
});

export const RUN_COLUMNS = `l.lease_id, l.lease_token, l.node_id, l.provider_id, l.provider_organisation_id, l.organisation_id, l.project_id, l.job_id,
  l.task_id, l.task_index, l.run_number, l.offer_id, l.offer_version, l.gpu_model_id, l.gpu_uuids, l.gpu_milli, l.price_micros_per_gpu_hour,
  l.emulated, l.canary, l.cpu_milli, l.memory_mib, l.scratch_mib, l.grant_time, l.answer_time, l.max_run_ms, l.end_time, l.closed_at,
  r.state, r.start_time, r.exit_code, r.reason, r.fault, r.stop_reason, r.event_version, n.expire_time`;
export const OPEN_RUN_STATES = `('OFFERED', 'ACCEPTED', 'RUNNING')`;
export const RUN_JOINS = `run r JOIN lease l USING (lease_id) JOIN lease_renewal n USING (lease_id)`;

export interface RunRow {
  readonly lease_id: string;
  readonly lease_token: Int8;
  readonly node_id: string;
  readonly provider_id: string;
  readonly provider_organisation_id: string;
  readonly organisation_id: string;
  readonly project_id: string;
  readonly job_id: string;
  readonly task_id: string;
  readonly task_index: number;
  readonly run_number: number;
  readonly offer_id: string | null;
  readonly offer_version: Int8;
  readonly gpu_model_id: string;
  readonly gpu_uuids: string[];
  readonly gpu_milli: number;
  readonly price_micros_per_gpu_hour: Int8;
  readonly emulated: boolean;
  readonly canary: boolean;
  readonly cpu_milli: number;
  readonly memory_mib: number;
  readonly scratch_mib: number;
  readonly grant_time: Date;
  readonly answer_time: Date;
  readonly max_run_ms: Int8;
  readonly end_time: Date | null;
  readonly closed_at: Date | null;
  readonly state: RunState;
  readonly start_time: Date | null;
  readonly exit_code: number;
  readonly reason: string;
  readonly fault: Fault | null;
  readonly stop_reason: StopReason | null;
  readonly event_version: Int8;
  readonly expire_time: Date;
}

export const toRun = (row: RunRow): Run => ({
  terms: toTerms(row),
  state: row.state,
  startTime: row.start_time ?? undefined,
  endTime: row.end_time ?? undefined,
  closeTime: row.closed_at ?? undefined,
  expireTime: row.expire_time,
  exitCode: row.exit_code,
  reason: row.reason,
  fault: row.fault ?? undefined,
  stopReason: row.stop_reason ?? undefined,
  eventVersion: BigInt(row.event_version),
});

const toTerms = (row: RunRow): LeaseTerms => ({
  leaseId: row.lease_id,
  leaseToken: BigInt(row.lease_token),
  nodeId: row.node_id,
  providerId: row.provider_id,
  providerOrganisationId: row.provider_organisation_id,
  organisationId: row.organisation_id,
  projectId: row.project_id,
  jobId: row.job_id,
  taskId: row.task_id,
  taskIndex: row.task_index,
  runNumber: row.run_number,
  offerId: row.offer_id ?? '',
  offerVersion: BigInt(row.offer_version),
  gpuModelId: row.gpu_model_id,
  gpuUuids: row.gpu_uuids,
  gpuMilli: row.gpu_milli,
  priceMicrosPerGpuHour: BigInt(row.price_micros_per_gpu_hour),
  emulated: row.emulated,
  canary: row.canary,
  cpuMilli: row.cpu_milli,
  memoryMib: row.memory_mib,
  scratchMib: row.scratch_mib,
  grantTime: row.grant_time,
  answerTime: row.answer_time,
  maxRunMs: Number(row.max_run_ms),
});

export const toOccupation = ({ terms }: Run): Occupation => ({
  leaseId: terms.leaseId,
  nodeId: terms.nodeId,
  gpuUuids: terms.gpuUuids,
  cpuMilli: terms.cpuMilli,
  memoryMib: terms.memoryMib,
  scratchMib: terms.scratchMib,
});

export interface NodeRow {
  readonly node_id: string;
  readonly provider_id: string;
  readonly organisation_id: string;
  readonly region: string;
  readonly emulated: boolean;
  readonly schedulable: boolean;
  readonly gpus: Gpu[];
  readonly cpu_milli: number;
  readonly memory_mib: number;
  readonly scratch_mib: number;
  readonly network_allowed: boolean;
  readonly version: Int8;
}

export const toNode = (row: NodeRow): MarketNode => ({
  nodeId: row.node_id,
  providerId: row.provider_id,
  organisationId: row.organisation_id,
  region: row.region,
  emulated: row.emulated,
  schedulable: row.schedulable,
  gpus: row.gpus,
  cpuMilli: row.cpu_milli,
  memoryMib: row.memory_mib,
  scratchMib: row.scratch_mib,
  networkAllowed: row.network_allowed,
  version: BigInt(row.version),
});

export interface OfferRow {
  readonly offer_id: string;
  readonly node_id: string;
  readonly provider_id: string;
  readonly organisation_id: string;
  readonly gpu_model_id: string;
  readonly price_micros_per_gpu_hour: Int8;
  readonly region: string;
  readonly reliability_bps: number;
  readonly min_rental_seconds: number;
  readonly max_rental_seconds: number;
  readonly network_allowed: boolean;
  readonly open: boolean;
  readonly emulated: boolean;
  readonly version: Int8;
}

export const toOffer = (row: OfferRow): MarketOffer => ({
  offerId: row.offer_id,
  nodeId: row.node_id,
  providerId: row.provider_id,
  organisationId: row.organisation_id,
  gpuModelId: row.gpu_model_id,
  priceMicrosPerGpuHour: BigInt(row.price_micros_per_gpu_hour),
  region: row.region,
  reliabilityBps: row.reliability_bps,
  minRentalSeconds: row.min_rental_seconds,
  maxRentalSeconds: row.max_rental_seconds,
  networkAllowed: row.network_allowed,
  open: row.open,
  emulated: row.emulated,
  version: BigInt(row.version),
});

type StoredQuotedTask = Omit<QuotedTask, 'priceMicrosPerGpuHour'> & { readonly priceMicrosPerGpuHour: string };

export const quotedTasksToJson = (tasks: readonly QuotedTask[]): string =>
  JSON.stringify(tasks.map((task) => ({ ...task, priceMicrosPerGpuHour: task.priceMicrosPerGpuHour.toString() })));

export const quotedTasksFromJson = (stored: unknown): QuotedTask[] =>
  (stored as StoredQuotedTask[]).map((task) => ({
    ...task,
    priceMicrosPerGpuHour: BigInt(task.priceMicrosPerGpuHour),
  }));

export interface QuoteRow {
  readonly quote_id: string;
  readonly organisation_id: string;
  readonly project_id: string;
  readonly spec: unknown;
  readonly secrets: Buffer | null;
  readonly tasks: unknown;
  readonly priced: Buffer;
  readonly create_time: Date;
  readonly expire_time: Date;
}
