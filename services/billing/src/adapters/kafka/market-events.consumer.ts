import { DomainError } from '@daya/kernel';
import { EventConsumer, on, type Kafka } from '@daya/messaging';
import { fromTimestamp } from '@daya/proto';
import type { Timestamp } from '@daya/proto/google';
import { UsageRecorded } from '@daya/proto/metering';
import {
  Fault as ProtoFault,
  JobFinished,
  LeaseEnded,
  LeaseStarted,
  type LeaseTerms as ProtoLeaseTerms,
} from '@daya/proto/scheduler';
import type { DataSource } from 'typeorm';
import type { FinishJob } from '../../application/finish-job';
import { HOLD_ASSET } from '../../application/place-hold';
import type { RecordedUsage } from '../../application/ports';
import type { RecordLease } from '../../application/record-lease';
import type { RecordUsage } from '../../application/record-usage';
import type { Fault, LeaseTerms } from '../../domain/charge';
import { bindTransaction } from '../postgres/postgres-store';

export const CONSUMED_TOPICS = ['daya.scheduler.jobs', 'daya.scheduler.leases', 'daya.metering.usage'] as const;
export const CONSUMER_GROUP = 'billing.market';

export interface MarketUseCases {
  readonly recordLease: RecordLease;
  readonly recordUsage: RecordUsage;
  readonly finishJob: FinishJob;
}

/** What the scheduler and metering tell: leases with their prices, usage, ends. Handlers give the same end in any order. */
export function marketEventHandlers({ recordLease, recordUsage, finishJob }: MarketUseCases) {
  return Object.fromEntries([
    on(LeaseStarted, ({ terms, startTime }, _event, em) =>
      recordLease.started(bindTransaction(em), {
        terms: fromProtoTerms(terms),
        startTime: timeOf('start_time', startTime),
      }),
    ),
    on(LeaseEnded, ({ terms, startTime, endTime, fault }, _event, em) =>
      recordLease.ended(bindTransaction(em), {
        terms: fromProtoTerms(terms),
        startTime: startTime && fromTimestamp(startTime),
        endTime: timeOf('end_time', endTime),
        fault: FAULTS[fault],
      }),
    ),
    on(UsageRecorded, ({ usage }, _event, em) => recordUsage.execute(bindTransaction(em), fromProtoUsage(usage))),
    on(JobFinished, ({ jobId, organisationId, startedLeaseIds, endTime }, event, em) =>
      finishJob.execute(bindTransaction(em), {
        jobId,
        payerId: organisationId,
        startedLeaseIds,
        finishTime: endTime === undefined ? event.time : fromTimestamp(endTime),
      }),
    ),
  ]);
}

export function marketEventsConsumer(kafka: Kafka, db: DataSource, useCases: MarketUseCases): EventConsumer {
  return new EventConsumer({
    kafka,
    group: CONSUMER_GROUP,
    topics: CONSUMED_TOPICS,
    db,
    handlers: marketEventHandlers(useCases),
  });
}

/** A fault this build does not know is nobody's: the run is charged, and a correction can follow. */
const FAULTS: Readonly<Record<ProtoFault, Fault>> = {
  [ProtoFault.UNSPECIFIED]: 'none',
  [ProtoFault.NONE]: 'none',
  [ProtoFault.CUSTOMER]: 'customer',
  [ProtoFault.PROVIDER]: 'provider',
  [ProtoFault.PLATFORM]: 'platform',
  [ProtoFault.UNRECOGNIZED]: 'none',
};

function fromProtoTerms(terms: ProtoLeaseTerms | undefined): LeaseTerms {
  if (terms === undefined) throw missing('terms');
  const { leaseId, jobId, providerId, nodeId, taskIndex, runNumber, gpuModelId, gpuMilli, emulated } = terms;
  // A canary is free whatever the node's price is.
  const priceMicrosPerGpuHour = terms.canary ? 0n : terms.priceMicrosPerGpuHour;
  const parties = { payerId: terms.organisationId, payeeId: terms.providerOrganisationId, asset: HOLD_ASSET };
  return {
    leaseId,
    jobId,
    ...parties,
    providerId,
    nodeId,
    taskIndex,
    runNumber,
    gpuModelId,
    gpuMilli,
    priceMicrosPerGpuHour,
    emulated,
  };
}

function fromProtoUsage(usage: UsageRecorded['usage']): RecordedUsage {
  if (usage === undefined) throw missing('usage');
  return {
    usageId: usage.usageId,
    leaseId: usage.leaseId,
    startTime: timeOf('usage.window_start_time', usage.windowStartTime),
    endTime: timeOf('usage.window_end_time', usage.windowEndTime),
    version: usage.version,
    billableMs: usage.billableMs,
    cumulativeMs: usage.cumulativeBillableMs,
    final: usage.final,
  };
}

function timeOf(field: string, timestamp: Timestamp | undefined): Date {
  if (timestamp === undefined) throw missing(field);
  return fromTimestamp(timestamp);
}

/** Parked at once: no retry brings the field. */
const missing = (field: string): DomainError =>
  new DomainError('invalid', 'EVENT_FIELD_MISSING', `the event has no ${field}`, { field });
