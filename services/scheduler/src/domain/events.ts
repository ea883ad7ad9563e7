import type { Job } from './job';
import type { Run } from './lease';

/** Facts that leave the service, with the version that they get on their topic and key. */
export type SchedulerEvent =
  | { readonly type: 'job-queued'; readonly job: Job }
  | {
      readonly type: 'job-finished';
      readonly job: Job;
      readonly startedLeaseIds: readonly string[];
      readonly endTime: Date;
    }
  | { readonly type: 'lease-granted'; readonly run: Run; readonly version: bigint }
  | { readonly type: 'lease-started'; readonly run: Run; readonly version: bigint }
  | { readonly type: 'lease-extended'; readonly leaseId: string; readonly expireTime: Date; readonly version: bigint }
  | { readonly type: 'lease-ended'; readonly run: Run; readonly version: bigint }
  | { readonly type: 'lease-closed'; readonly run: Run; readonly version: bigint };

/** A job has exactly two events of its own. */
export const JOB_QUEUED_VERSION = 1n;
export const JOB_FINISHED_VERSION = 2n;

/**
 * The events that tell of a run's change, numbered on from those told before; `run` comes back with the new count. The
 * stories are always granted, started?, extended*, ended, closed.
 */
export function eventsOfChange(before: Run, after: Run): { run: Run; events: SchedulerEvent[] } {
  const events: SchedulerEvent[] = [];
  let version = before.eventVersion;
  if (!before.startTime && after.startTime)
    events.push({ type: 'lease-started', run: after, version: (version += 1n) });
  if (!before.endTime && after.endTime) events.push({ type: 'lease-ended', run: after, version: (version += 1n) });
  if (!before.closeTime && after.closeTime) events.push({ type: 'lease-closed', run: after, version: (version += 1n) });
  return { run: { ...after, eventVersion: version }, events };
}
