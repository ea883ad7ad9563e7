import { randomUUID } from 'node:crypto';
import { toTimestamp } from '@daya/proto';
import { UsageRecorded } from '@daya/proto/metering';
import { Fault, JobFinished, JobState, LeaseEnded, LeaseStarted, RunState } from '@daya/proto/scheduler';

export interface MarketEvent {
  readonly id: string;
  readonly topic: string;
  readonly key: string;
  readonly type: string;
  readonly payload: Uint8Array;
  readonly version: bigint;
}

export interface Market {
  readonly organisationId: string;
  readonly providerOrganisationId: string;
  readonly jobId: string;
  readonly leaseId: string;
}

/** What the scheduler and metering tell of a job with one run of a minute, the end of it first. */
export function eventsOf({ organisationId, providerOrganisationId, jobId, leaseId }: Market): MarketEvent[] {
  const terms = {
    leaseId,
    leaseToken: 1n,
    nodeId: randomUUID(),
    providerId: randomUUID(),
    providerOrganisationId,
    organisationId,
    projectId: randomUUID(),
    jobId,
    taskIndex: 0,
    runNumber: 1,
    memberIndex: 0,
    offerId: randomUUID(),
    offerVersion: 1n,
    gpuModelId: 'rtx-4090',
    gpuUuids: ['GPU-1'],
    gpuMilli: 1_000,
    priceMicrosPerGpuHour: 3_600_000n,
    emulated: true,
    canary: false,
  };
  const at = (seconds: number) => toTimestamp(new Date(Date.UTC(2026, 0, 1) + seconds * 1_000));
  const usage = {
    usageId: randomUUID(),
    leaseId,
    jobId,
    organisationId,
    providerOrganisationId,
    nodeId: terms.nodeId,
    windowStartTime: at(0),
    windowEndTime: at(60),
    version: 1,
    schedulerMs: 60_000n,
    agentMs: 60_000n,
    billableMs: 60_000n,
    cumulativeBillableMs: 60_000n,
    final: true,
    estimated: false,
    mscuMs: 0n,
  };
  const started = LeaseStarted.encode({ terms, grantTime: at(0), startTime: at(0), expireTime: at(90) }).finish();
  const ended = LeaseEnded.encode({
    terms,
    startTime: at(0),
    endTime: at(60),
    expireTime: at(90),
    runState: RunState.SUCCEEDED,
    reason: '',
    fault: Fault.NONE,
  }).finish();
  const finished = JobFinished.encode({
    jobId,
    organisationId,
    projectId: terms.projectId,
    state: JobState.SUCCEEDED,
    reason: '',
    canary: false,
    canaryNodeId: '',
    startedLeaseIds: [leaseId],
    endTime: at(60),
  }).finish();
  return [
    {
      id: randomUUID(),
      topic: 'daya.scheduler.jobs',
      key: jobId,
      type: JobFinished.$type,
      payload: finished,
      version: 1n,
    },
    {
      id: randomUUID(),
      topic: 'daya.metering.usage',
      key: leaseId,
      type: UsageRecorded.$type,
      payload: UsageRecorded.encode({ usage, leaseToken: 1n }).finish(),
      version: 1n,
    },
    {
      id: randomUUID(),
      topic: 'daya.scheduler.leases',
      key: leaseId,
      type: LeaseStarted.$type,
      payload: started,
      version: 1n,
    },
    {
      id: randomUUID(),
      topic: 'daya.scheduler.leases',
      key: leaseId,
      type: LeaseEnded.$type,
      payload: ended,
      version: 2n,
    },
  ];
}

/** The next version of the usage that `events` tell of, with less time. */
export function correctionOf(events: readonly MarketEvent[], billableMs: bigint): MarketEvent {
  const first = events.find(({ type }) => type === UsageRecorded.$type);
  if (first === undefined) throw new Error('no usage among the events');
  const { usage, leaseToken } = UsageRecorded.decode(first.payload);
  if (usage === undefined) throw new Error('the event has no usage');
  const corrected = { ...usage, usageId: randomUUID(), version: 2, billableMs, cumulativeBillableMs: billableMs };
  const payload = UsageRecorded.encode({ usage: corrected, leaseToken }).finish();
  return { ...first, id: randomUUID(), version: first.version + 1n, payload };
}
