import { PricedQuote as ProtoPricedQuote } from '@daya/proto/billing';
import { toTimestamp } from '@daya/proto';
import {
  JobFinished,
  JobQueued,
  LeaseClosed,
  LeaseEnded,
  LeaseExtended,
  LeaseGranted,
  LeaseStarted,
  type LeaseTerms as ProtoLeaseTerms,
} from '@daya/proto/scheduler';
import { JOB_FINISHED_VERSION, JOB_QUEUED_VERSION, type SchedulerEvent } from '../domain/events';
import { isCanary, type Job } from '../domain/job';
import type { LeaseTerms, Run } from '../domain/lease';
import type { PricedQuote } from '../domain/quote';
import { toProtoFault, toProtoJobState, toProtoRunState } from './proto-states';

export const JOBS_TOPIC = 'daya.scheduler.jobs';
export const LEASES_TOPIC = 'daya.scheduler.leases';

export interface OutboxRecord {
  readonly topic: string;
  readonly key: string;
  readonly type: string;
  readonly payload: Uint8Array;
  readonly version: bigint;
}

interface Codec<T> {
  readonly $type?: string;
  fromPartial(object: object): T;
  encode(message: T): { finish(): Uint8Array };
}

const PACKAGE = 'daya.scheduler.v1';

function record<T>(
  topic: string,
  key: string,
  version: bigint,
  name: string,
  codec: Codec<T>,
  message: T,
): OutboxRecord {
  return { topic, key, type: `${PACKAGE}.${name}`, payload: codec.encode(message).finish(), version };
}

const ofJob = <T>(job: Job, version: bigint, name: string, codec: Codec<T>, message: T): OutboxRecord =>
  record(JOBS_TOPIC, job.jobId, version, name, codec, message);

/** Every event as it leaves: topic, key, version and bytes. */
export function toOutboxRecord(event: SchedulerEvent): OutboxRecord {
  switch (event.type) {
    case 'job-queued':
      return ofJob(event.job, JOB_QUEUED_VERSION, 'JobQueued', JobQueued, queuedMessage(event.job));
    case 'job-finished':
      return ofJob(event.job, JOB_FINISHED_VERSION, 'JobFinished', JobFinished, finishedMessage(event));
    case 'lease-extended': {
      const message = { leaseId: event.leaseId, expireTime: toTimestamp(event.expireTime) };
      return record(LEASES_TOPIC, event.leaseId, event.version, 'LeaseExtended', LeaseExtended, message);
    }
    default:
      return leaseRecord(event);
  }
}

function leaseRecord({ type, run, version }: Extract<SchedulerEvent, { run: Run }>): OutboxRecord {
  const { terms, startTime, endTime, closeTime } = run;
  const { leaseId, grantTime } = terms;
  const expireTime = toTimestamp(run.expireTime);
  const times = { terms: toProtoTerms(terms), grantTime: toTimestamp(grantTime), expireTime };
  switch (type) {
    case 'lease-granted':
      return record(LEASES_TOPIC, leaseId, version, 'LeaseGranted', LeaseGranted, times);
    case 'lease-started':
      return record(LEASES_TOPIC, leaseId, version, 'LeaseStarted', LeaseStarted, {
        ...times,
        startTime: toTimestamp(startTime ?? grantTime),
      });
    case 'lease-ended': {
      const ended: LeaseEnded = {
        terms: times.terms,
        startTime: startTime && toTimestamp(startTime),
        endTime: endTime && toTimestamp(endTime),
        expireTime,
        runState: toProtoRunState(run.state),
        reason: run.reason,
        fault: toProtoFault(run.fault),
      };
      return record(LEASES_TOPIC, leaseId, version, 'LeaseEnded', LeaseEnded, ended);
    }
    case 'lease-closed':
      return record(LEASES_TOPIC, leaseId, version, 'LeaseClosed', LeaseClosed, {
        leaseId,
        closeTime: closeTime && toTimestamp(closeTime),
      });
  }
}

const queuedMessage = (job: Job): JobQueued => ({
  jobId: job.jobId,
  organisationId: job.organisationId,
  projectId: job.projectId,
  quoteMicros: job.quoteMicros,
  taskCount: job.spec.taskCount,
  canary: isCanary(job),
});

const finishedMessage = ({
  job,
  startedLeaseIds,
  endTime,
}: Extract<SchedulerEvent, { type: 'job-finished' }>): JobFinished => ({
  jobId: job.jobId,
  organisationId: job.organisationId,
  projectId: job.projectId,
  state: toProtoJobState(job.state),
  reason: job.reason,
  canary: isCanary(job),
  canaryNodeId: job.canaryNodeId,
  startedLeaseIds: [...startedLeaseIds],
  endTime: toTimestamp(endTime),
});

const toProtoTerms = (terms: LeaseTerms): ProtoLeaseTerms => ({
  leaseId: terms.leaseId,
  leaseToken: terms.leaseToken,
  nodeId: terms.nodeId,
  providerId: terms.providerId,
  providerOrganisationId: terms.providerOrganisationId,
  organisationId: terms.organisationId,
  projectId: terms.projectId,
  jobId: terms.jobId,
  taskIndex: terms.taskIndex,
  runNumber: terms.runNumber,
  memberIndex: 0,
  offerId: terms.offerId,
  offerVersion: terms.offerVersion,
  gpuModelId: terms.gpuModelId,
  gpuUuids: [...terms.gpuUuids],
  gpuMilli: terms.gpuMilli,
  priceMicrosPerGpuHour: terms.priceMicrosPerGpuHour,
  emulated: terms.emulated,
  canary: terms.canary,
});

export const toProtoPriced = (priced: PricedQuote): ProtoPricedQuote => ({
  quoteId: priced.quoteId,
  lines: priced.lines.map((line) => ({ ...line })),
  totalMicros: priced.totalMicros,
  feeBps: priced.feeBps,
  feePolicyVersion: priced.feePolicyVersion,
  signature: Buffer.from(priced.signature),
});

export const fromProtoPriced = (priced: ProtoPricedQuote): PricedQuote => ({
  quoteId: priced.quoteId,
  lines: priced.lines,
  totalMicros: priced.totalMicros,
  feeBps: priced.feeBps,
  feePolicyVersion: priced.feePolicyVersion,
  signature: priced.signature,
});

export const encodePriced = (priced: PricedQuote): Uint8Array =>
  ProtoPricedQuote.encode(toProtoPriced(priced)).finish();
export const decodePriced = (bytes: Uint8Array): PricedQuote => fromProtoPriced(ProtoPricedQuote.decode(bytes));
