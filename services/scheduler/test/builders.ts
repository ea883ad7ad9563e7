import type { Job, Task } from '../src/domain/job';
import type { JobSpec, JobSpecInput } from '../src/domain/job-spec';
import type { LeaseTerms, Run } from '../src/domain/lease';
import type { MarketNode, MarketOffer } from '../src/domain/market';
import { validateSpec } from '../src/domain/validate-spec';

export const T0 = new Date('2026-01-01T00:00:00.000Z');
export const at = (ms: number): Date => new Date(T0.getTime() + ms);

/** A UUID that tells its kind and number. */
export const id = (kind: number, number: number): string =>
  `0000000${kind}-0000-7000-8000-${number.toString(16).padStart(12, '0')}`;

export const aSpecInput = (more: Partial<JobSpecInput> = {}): JobSpecInput => ({
  image: { reference: '', digest: `sha256:${'0a'.repeat(32)}` },
  command: ['run'],
  env: {},
  secrets: [],
  taskCount: 1,
  maxRunSeconds: 60,
  inputs: [],
  outputPath: 'out',
  network: 'NONE',
  labels: {},
  ...more,
});

export const aSpec = (more: Partial<JobSpec> = {}): JobSpec => ({ ...validateSpec(aSpecInput()).spec, ...more });

export const aJob = (more: Partial<Job> = {}): Job => ({
  jobId: id(1, 1),
  organisationId: id(2, 1),
  projectId: id(3, 1),
  state: 'QUEUED',
  spec: aSpec(),
  quoteId: id(4, 1),
  quoteMicros: 1_000n,
  reason: '',
  canaryNodeId: '',
  createTime: T0,
  endTime: undefined,
  version: 1n,
  ...more,
});

export const aTask = (more: Partial<Task> = {}): Task => ({
  taskId: id(5, 1),
  jobId: id(1, 1),
  taskIndex: 0,
  state: 'LEASED',
  reason: '',
  priceMicrosMax: 1_000_000n,
  runCount: 1,
  failureCount: 0,
  faultCount: 0,
  lostCount: 0,
  usedMs: 0,
  ...more,
});

export const someTerms = (more: Partial<LeaseTerms> = {}): LeaseTerms => ({
  leaseId: id(6, 1),
  leaseToken: 7n,
  nodeId: id(7, 1),
  providerId: id(8, 1),
  providerOrganisationId: id(2, 9),
  organisationId: id(2, 1),
  projectId: id(3, 1),
  jobId: id(1, 1),
  taskId: id(5, 1),
  taskIndex: 0,
  runNumber: 1,
  offerId: id(9, 1),
  offerVersion: 1n,
  gpuModelId: 'rtx-4090',
  gpuUuids: ['GPU-1'],
  gpuMilli: 1_000,
  priceMicrosPerGpuHour: 1_000_000n,
  emulated: false,
  canary: false,
  cpuMilli: 1_000,
  memoryMib: 512,
  scratchMib: 256,
  grantTime: T0,
  answerTime: at(10_000),
  maxRunMs: 60_000,
  ...more,
});

export const aRun = (more: Partial<Run> = {}): Run => ({
  terms: someTerms(),
  state: 'OFFERED',
  startTime: undefined,
  endTime: undefined,
  closeTime: undefined,
  expireTime: at(60_000),
  exitCode: 0,
  reason: '',
  fault: undefined,
  stopReason: undefined,
  eventVersion: 1n,
  ...more,
});

export const aNode = (number: number, gpus: number, more: Partial<MarketNode> = {}): MarketNode => ({
  nodeId: id(7, number),
  providerId: id(8, number),
  organisationId: id(2, number),
  region: 'eu-central',
  emulated: false,
  schedulable: true,
  gpus: Array.from({ length: gpus }, (_, index) => ({
    uuid: `GPU-${number}-${index}`,
    gpuModelId: 'rtx-4090',
    vramMib: 24_564,
  })),
  cpuMilli: 16_000,
  memoryMib: 65_536,
  scratchMib: 500_000,
  networkAllowed: true,
  version: 1n,
  ...more,
});

export const anOffer = (
  number: number,
  priceMicrosPerGpuHour: bigint,
  more: Partial<MarketOffer> = {},
): MarketOffer => ({
  offerId: id(9, number),
  nodeId: id(7, number),
  providerId: id(8, number),
  organisationId: id(2, number),
  gpuModelId: 'rtx-4090',
  priceMicrosPerGpuHour,
  region: 'eu-central',
  reliabilityBps: 9_900,
  minRentalSeconds: 0,
  maxRentalSeconds: 0,
  networkAllowed: true,
  open: true,
  emulated: false,
  version: 1n,
  ...more,
});
