import type { IdGenerator } from '@daya/kernel';
import { EventConsumer, on, type Kafka } from '@daya/messaging';
import { Fault, JobFinished, LeaseEnded } from '@daya/proto/scheduler';
import type { DataSource } from 'typeorm';
import type { RecordCanary } from '../../application/record-canary';
import type { RecordLeaseEnd } from '../../application/record-lease-end';
import type { AdmissionDecision } from '../../domain/node';
import { outcomeOf, reasonOf } from '../peers/scheduler-canaries';
import { transactionOn } from '../postgres/postgres-store';

export interface SchedulerEventsParts {
  readonly kafka: Kafka;
  /** The system role's. */
  readonly db: DataSource;
  readonly ids: IdGenerator;
  readonly recordCanary: RecordCanary;
  readonly recordLeaseEnd: RecordLeaseEnd;
}

/** What the scheduler tells: how canaries ended, and how leases did. */
export function schedulerEvents({ kafka, db, ids, recordCanary, recordLeaseEnd }: SchedulerEventsParts): EventConsumer {
  return new EventConsumer({
    kafka,
    group: 'registry.scheduler-events',
    topics: ['daya.scheduler.jobs', 'daya.scheduler.leases'],
    db,
    handlers: Object.fromEntries([
      on(JobFinished, async (job, _event, em) => {
        if (!job.canary) return;
        const { jobId, canaryNodeId: nodeId } = job;
        await recordCanary.execute(transactionOn(em, ids), { jobId, nodeId, decision: decisionOf(job) });
      }),
      on(LeaseEnded, async ({ terms, startTime, fault }, _event, em) => {
        // A lease that never ran says nothing of the node unless its owner's side failed it.
        const providerFault = fault === Fault.PROVIDER;
        if (terms === undefined || terms.canary || (startTime === undefined && !providerFault)) return;
        await recordLeaseEnd.execute(transactionOn(em, ids), terms.nodeId, providerFault);
      }),
    ]),
  });
}

function decisionOf({ state, reason }: JobFinished): AdmissionDecision {
  return outcomeOf(state) === 'succeeded' ? { admitted: true } : { admitted: false, reason: reasonOf(state, reason) };
}
