import { DomainError } from '@daya/kernel';
import { EventConsumer, on, type Kafka } from '@daya/messaging';
import { fromTimestamp } from '@daya/proto';
import type { Timestamp } from '@daya/proto/google';
import { NodeCertified, NodeChanged, NodeRevoked } from '@daya/proto/registry';
import { LeaseEnded, LeaseExtended, LeaseStarted, RunState, type LeaseTerms } from '@daya/proto/scheduler';
import type { DataSource } from 'typeorm';
import type { LeaseNews, RecordLease } from '../../application/record-lease';
import type { RecordNode } from '../../application/record-node';
import { bindTransaction } from '../postgres/postgres-store';

export interface MarketUseCases {
  readonly recordLease: RecordLease;
  readonly recordNode: RecordNode;
}

/** What the scheduler tells of leases from their start on, since nothing before it is metered, and the registry of nodes. */
export function marketEventHandlers({ recordLease, recordNode }: MarketUseCases) {
  return Object.fromEntries([
    on(LeaseStarted, ({ terms, startTime, expireTime }, _event, em) =>
      recordLease.execute(bindTransaction(em), news(terms, { expireTime, startTime, endTime: undefined, lost: false })),
    ),
    on(LeaseExtended, ({ leaseId, expireTime }, _event, em) =>
      recordLease.extend(bindTransaction(em), leaseId, msOf('expire_time', expireTime)),
    ),
    on(LeaseEnded, ({ terms, startTime, endTime, expireTime, runState }, _event, em) =>
      recordLease.execute(
        bindTransaction(em),
        news(terms, { expireTime, startTime, endTime, lost: runState === RunState.LOST }),
      ),
    ),
    on(NodeCertified, ({ nodeId, generation, publicKey }, _event, em) =>
      recordNode.certified(bindTransaction(em), nodeId, generation, publicKey),
    ),
    on(NodeRevoked, ({ nodeId }, event, em) => recordNode.revoked(bindTransaction(em), nodeId, event.time.getTime())),
    on(NodeChanged, ({ node, mscuByGpuModel }, _event, em) => {
      if (node === undefined) throw missing('node');
      return recordNode.rated(bindTransaction(em), node.nodeId, mscuByGpuModel);
    }),
  ]);
}

export function marketEventsConsumer(kafka: Kafka, db: DataSource, useCases: MarketUseCases): EventConsumer {
  const topics = ['daya.scheduler.leases', 'daya.registry.nodes'];
  return new EventConsumer({ kafka, group: 'metering.market', topics, db, handlers: marketEventHandlers(useCases) });
}

interface Times {
  readonly startTime: Timestamp | undefined;
  readonly expireTime: Timestamp | undefined;
  readonly endTime: Timestamp | undefined;
  readonly lost: boolean;
}

function news(terms: LeaseTerms | undefined, { startTime, expireTime, endTime, lost }: Times): LeaseNews {
  if (terms === undefined) throw missing('terms');
  const { leaseId, leaseToken, nodeId, organisationId, providerOrganisationId, jobId, gpuMilli, gpuModelId } = terms;
  return {
    terms: { leaseId, leaseToken, nodeId, organisationId, providerOrganisationId, jobId, gpuMilli, gpuModelId },
    startMs: startTime && fromTimestamp(startTime).getTime(),
    expireMs: msOf('expire_time', expireTime),
    endMs: endTime && fromTimestamp(endTime).getTime(),
    lost,
  };
}

function msOf(field: string, timestamp: Timestamp | undefined): number {
  if (timestamp === undefined) throw missing(field);
  return fromTimestamp(timestamp).getTime();
}

/** Parked at once: no retry brings the field. */
const missing = (field: string): DomainError =>
  new DomainError('invalid', 'EVENT_FIELD_MISSING', `the event has no ${field}`, { field });
