import { BlobServiceService, JobState, LeaseServiceService, SchedulerServiceService } from '@daya/proto/scheduler';
import { toTimestamp } from '@daya/proto';
import { SHA256_LIKE, BAD_PATHS, UUID_LIKE } from '../bad-values';
import { control, type Control } from '../control';
import { PUPPET_ARTIFACT, SILENT } from '../puppet-agent';
import {
  atLeast,
  both,
  enumeration,
  inner,
  list,
  named,
  NUL_ONLY,
  optionalUuid,
  range,
  shaped,
  text,
  timestamp,
  uuid,
  type Rule,
} from '../rules';
import type { Entries, Value } from '../wire';
import { MANIFEST_SHA256, type World } from '../world';
import { fullSpec, SPEC_RULES } from './job-spec';

const { getQuote, submitJob, submitCanary, getJob, listJobs, cancelJob, watchJob, explainJob, getArtifact } =
  SchedulerServiceService;
const { getLeaseOffers, reportLeases, renewLeases } = LeaseServiceService;
const { registerBlob, checkBlob } = BlobServiceService;
const requestId = text(64, { refused: ['\0', '\n', 'ü', ' '] });

const jobRequest = async (world: World) => ({
  requestId: world.requestId(),
  projectId: (await world.customer()).projectId,
  spec: fullSpec(await world.spec(SILENT)),
});

const exitReport = async (world: World) => {
  const { leaseId } = await world.offeredLease();
  const { nodeId } = await world.node();
  const report = {
    reportId: world.requestId(),
    nodeId,
    leaseId,
    leaseToken: 1_000_000n,
    receiveTime: toTimestamp(new Date()),
  };
  const artifacts = [PUPPET_ARTIFACT, { ...PUPPET_ARTIFACT, path: 'two.txt' }];
  const exited = { exitCode: 0, reason: 'EXITED', cumulativeMs: 50n, artifacts };
  return [
    { ...report, report: { $case: 'exited' as const, value: exited } },
    { ...report, reportId: world.requestId(), report: { $case: 'refused' as const, value: { reason: 'GPU_BUSY' } } },
  ];
};

const JOBS: readonly Control[] = [
  control(getQuote, { as: 'customer', request: jobRequest, rules: { request_id: requestId, ...SPEC_RULES } }),
  control(submitJob, {
    as: 'customer',
    request: async (world) => ({ ...(await jobRequest(world)), quoteId: '' }),
    rules: {
      request_id: requestId,
      ...SPEC_RULES,
      spec: named('quote_id', SPEC_RULES['spec'] ?? inner()),
      quote_id: shaped(UUID_LIKE, { required: false }),
    },
    after: (world) => world.cancelOpenJobs(),
  }),
  control(submitCanary, {
    as: 'registry',
    request: async (world) => ({
      requestId: world.requestId(),
      nodeId: world.requestId(),
      spec: fullSpec(await world.spec(SILENT)),
    }),
    rules: { request_id: requestId, ...SPEC_RULES },
  }),
  control(getJob, { as: 'customer', request: async (world) => ({ jobId: (await world.settledJob()).jobId }) }),
  control(listJobs, {
    as: 'customer',
    request: () => ({ pageSize: 10, pageToken: '', projectId: '', state: JobState.UNSPECIFIED }),
    rules: { project_id: optionalUuid(), state: enumeration({ required: false }) },
  }),
  control(cancelJob, {
    as: 'customer',
    request: async (world) => ({ requestId: world.requestId(), jobId: (await world.settledJob()).jobId }),
    rules: { request_id: requestId },
  }),
  control(watchJob, {
    as: 'customer',
    request: async (world) => ({ jobId: (await world.settledJob()).jobId, resumeVersion: 0n }),
    rules: { resume_version: atLeast(0) },
  }),
  control(explainJob, {
    as: 'customer',
    request: async (world) => ({ jobId: '', spec: fullSpec(await world.spec()) }),
    rules: {
      ...SPEC_RULES,
      spec: named('job_id', SPEC_RULES['spec'] ?? inner()),
      job_id: named('spec', shaped(UUID_LIKE, { required: false })),
    },
  }),
  control(getArtifact, {
    as: 'customer',
    request: async (world) => ({ jobId: (await world.settledJob()).jobId, taskIndex: 0, path: PUPPET_ARTIFACT.path }),
    rules: { task_index: range(0, 1_000), path: text(512, { refused: NUL_ONLY }) },
  }),
];

const LEASES: readonly Control[] = [
  control(getLeaseOffers, {
    as: 'dispatch',
    request: async (world) => ({
      leaseIds: [(await world.offeredLease()).leaseId, world.requestId(), world.requestId()],
    }),
    rules: { lease_ids: list(uuid(), { min: 1, max: 64 }) },
  }),
  control(reportLeases, {
    as: 'dispatch',
    request: async (world) => ({ reports: await exitReport(world) }),
    rules: {
      reports: speaking(list(inner(), { min: 1, max: 256, hugest: 700 })),
      'reports.report_id': text(64, { refused: NUL_ONLY }),
      'reports.lease_token': atLeast(1),
      'reports.receive_time': timestamp(),
      'reports.refused.reason': shaped(['gpu busy', 'gpu_busy', '1X', 'A-B', 'A\0', '_A', 'A'.repeat(65), 'ÄB', ' ']),
      'reports.exited.exit_code': range(0, 255),
      'reports.exited.reason': shaped(['exited', 'EXIT', 'KILLED', 'EXITED ', 'EXITED\0', 'X'.repeat(1_000), '0']),
      'reports.exited.cumulative_ms': atLeast(0),
      'reports.exited.artifacts': list(inner(), { max: 1_000, hugest: 2_500 }),
      'reports.exited.artifacts.path': both(
        shaped(BAD_PATHS),
        shaped(['p'.repeat(513), 'p'.repeat(5_000)], { required: false }),
      ),
      'reports.exited.artifacts.bytes': range(0, 1n << 40n),
      'reports.exited.artifacts.sha256': shaped(SHA256_LIKE),
    },
  }),
  control(renewLeases, {
    as: 'dispatch',
    // The node that is heard of anyway: another heartbeat changes nothing.
    request: async (world) => {
      const leases = [
        { leaseId: world.requestId(), leaseToken: 1n },
        { leaseId: world.requestId(), leaseToken: 2n },
      ];
      const { nodeId } = await world.node();
      const heartbeat = { nodeId, receiveTime: toTimestamp(new Date()), leases, agentStarted: false, draining: false };
      return { heartbeats: [heartbeat, heartbeat] };
    },
    rules: {
      heartbeats: list(inner(), { min: 1, max: 1_000, hugest: 1_300 }),
      'heartbeats.receive_time': timestamp(),
      'heartbeats.leases': list(inner(), { max: 64, hugest: 2_000 }),
      'heartbeats.leases.lease_token': atLeast(1),
    },
  }),
];

const BODIES = ['accepted', 'refused', 'running', 'exited'];

/** Every report says one of four things; of the first of them that is taken away. */
function speaking(reports: Rule): Rule {
  const make = ([first, ...others]: readonly Value[]): readonly Value[] => {
    if (!Array.isArray(first)) throw new Error('the control has no report');
    return [(first as Entries).filter(({ field }) => !BODIES.includes(field.name)), ...others];
  };
  const silent = { kind: 'missing' as const, label: 'a report that says nothing', at: '[0].report', make };
  return { ...reports, lists: [...reports.lists, silent] };
}

const sha256 = shaped(SHA256_LIKE);
const BLOBS: readonly Control[] = [
  control(registerBlob, {
    as: 'dispatch',
    request: async (world) => ({
      requestId: world.requestId(),
      organisationId: (await world.customer()).organisationId,
      sha256: MANIFEST_SHA256,
      bytes: 10n,
    }),
    rules: { request_id: requestId, sha256, bytes: range(0, 1n << 40n) },
  }),
  control(checkBlob, {
    as: 'dispatch',
    request: async (world) => ({ organisationId: (await world.customer()).organisationId, sha256: MANIFEST_SHA256 }),
    rules: { sha256 },
  }),
];

export const SCHEDULER: readonly Control[] = [...JOBS, ...LEASES, ...BLOBS];
