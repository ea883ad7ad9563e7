import { toTimestamp } from '@daya/proto';
import * as proto from '@daya/proto/scheduler';
import type { LeaseOffer } from '../application/get-lease-offers';
import type { JobView, TaskView } from '../application/ports';
import type { NodeRenewal, Stop } from '../application/renew-leases';
import type { Explanation } from '../domain/explanation';
import type { Job } from '../domain/job';
import type { JobSpec } from '../domain/job-spec';
import type { Run } from '../domain/lease';
import type { Quote } from '../domain/quote';
import { toProtoPriced } from './proto-events';
import { toProtoFault, toProtoJobState, toProtoNetwork, toProtoRunState, toProtoTaskState } from './proto-states';

const time = (date: Date | undefined): ReturnType<typeof toTimestamp> | undefined => date && toTimestamp(date);

/** Secrets by name only. */
export const toProtoSpec = (spec: JobSpec): proto.JobSpec => ({
  image: { ...spec.image },
  command: [...spec.command],
  env: { ...spec.env },
  secrets: spec.secretNames.map((name) => ({ name, value: '' })),
  taskCount: spec.taskCount,
  finalTask: spec.finalTask && {
    command: [...spec.finalTask.command],
    env: { ...spec.finalTask.env },
    outputPath: spec.finalTask.outputPath,
  },
  requirements: {
    ...spec.requirements,
    gpuModelIds: [...spec.requirements.gpuModelIds],
    regions: [...spec.requirements.regions],
  },
  maxRunSeconds: spec.maxRunSeconds,
  inputs: spec.inputs.map((input) => ({ ...input })),
  outputPath: spec.outputPath,
  network: toProtoNetwork(spec.network),
  labels: { ...spec.labels },
  retry: { maxRetries: spec.maxRetries },
});

export const toProtoJob = (job: Job, tasks: readonly TaskView[] = []): proto.Job => ({
  jobId: job.jobId,
  organisationId: job.organisationId,
  projectId: job.projectId,
  state: toProtoJobState(job.state),
  spec: toProtoSpec(job.spec),
  quoteId: job.quoteId,
  quoteMicros: job.quoteMicros,
  reason: job.reason,
  tasks: tasks.map(toProtoTask),
  createTime: time(job.createTime),
  endTime: time(job.endTime),
  version: job.version,
});

export const toProtoJobView = ({ job, tasks }: JobView): proto.Job => toProtoJob(job, tasks);

const toProtoTask = ({ task, runs, artifacts }: TaskView): proto.Task => ({
  taskIndex: task.taskIndex,
  state: toProtoTaskState(task.state),
  runs: runs.map(toProtoRun),
  artifacts: artifacts.map((artifact) => ({ ...artifact })),
  reason: task.reason,
});

const toProtoRun = (run: Run): proto.Run => ({
  runNumber: run.terms.runNumber,
  state: toProtoRunState(run.state),
  leaseId: run.terms.leaseId,
  nodeId: run.terms.nodeId,
  offerId: run.terms.offerId,
  gpuModelId: run.terms.gpuModelId,
  gpuMilli: run.terms.gpuMilli,
  emulated: run.terms.emulated,
  leaseToken: run.terms.leaseToken,
  priceMicrosPerGpuHour: run.terms.priceMicrosPerGpuHour,
  startTime: time(run.startTime),
  endTime: time(run.endTime),
  exitCode: run.exitCode,
  reason: run.reason,
  fault: toProtoFault(run.fault),
});

export const toProtoQuote = (quote: Quote): proto.Quote => ({
  quoteId: quote.quoteId,
  organisationId: quote.organisationId,
  projectId: quote.projectId,
  totalMicros: quote.priced.totalMicros,
  tasks: quote.tasks.map((task) => ({ ...task })),
  priced: toProtoPriced(quote.priced),
  createTime: time(quote.createTime),
  expireTime: time(quote.expireTime),
});

export const toProtoExplanation = (explanation: Explanation): proto.ExplainJobResponse => ({
  offerCount: explanation.offerCount,
  feasibleOfferCount: explanation.feasibleOfferCount,
  removed: explanation.removed.map((removed) => ({ ...removed })),
  cheapestPriceMicrosPerGpuHour: explanation.cheapestPriceMicrosPerGpuHour,
});

/** The bytes that are signed; secrets are in them, so they are never logged. */
export function encodeOffer({ terms, spec, ...offer }: LeaseOffer): Uint8Array {
  const message: proto.LeaseOffer = {
    leaseId: terms.leaseId,
    leaseToken: terms.leaseToken,
    nodeId: terms.nodeId,
    jobId: terms.jobId,
    taskIndex: terms.taskIndex,
    runNumber: terms.runNumber,
    organisationId: terms.organisationId,
    gpuUuids: [...terms.gpuUuids],
    spec: toProtoSpec(spec),
    command: [...offer.command],
    env: { ...offer.env },
    outputPath: offer.outputPath,
    inputs: offer.inputs.map((input) => ({ ...input })),
    maxRunSeconds: offer.maxRunSeconds,
    answerTime: time(terms.answerTime),
    secrets: offer.secrets.map((secret) => ({ ...secret })),
  };
  return proto.LeaseOffer.encode(message).finish();
}

export const toProtoStop = (stop: Stop): proto.LeaseStop => ({ ...stop });

export const toProtoRenewal = ({ nodeId, renewed, stops }: NodeRenewal): proto.NodeRenewal => ({
  nodeId,
  renewed: renewed.map(({ leaseId, expireTime }) => ({ leaseId, expireTime: time(expireTime) })),
  stops: stops.map(toProtoStop),
});
