import type { JobSpec } from './job-spec';
import { totalTasks } from './job-spec';
import { isFinalTaskState, JOB_NEXT, moved, TASK_NEXT, type JobState, type TaskState } from './states';

/** The platform's own organisation and project; canaries are its jobs. */
export const PLATFORM_ORGANISATION_ID = '00000000-0000-7000-8000-000000000001';
export const PLATFORM_PROJECT_ID = '00000000-0000-7000-8000-000000000002';

export interface Job {
  readonly jobId: string;
  readonly organisationId: string;
  readonly projectId: string;
  readonly state: JobState;
  readonly spec: JobSpec;
  /** Empty for a canary. */
  readonly quoteId: string;
  readonly quoteMicros: bigint;
  readonly reason: string;
  /** The node that a canary is pinned to; empty for every other job. */
  readonly canaryNodeId: string;
  readonly createTime: Date;
  /** When nothing of the job ran any more. */
  readonly endTime: Date | undefined;
  /** Grows with every change of the job, its tasks or its runs. */
  readonly version: bigint;
}

export const isCanary = (job: Pick<Job, 'canaryNodeId'>): boolean => job.canaryNodeId !== '';

export interface Task {
  readonly taskId: string;
  readonly jobId: string;
  readonly taskIndex: number;
  readonly state: TaskState;
  readonly reason: string;
  /** Never placed above it. */
  readonly priceMicrosMax: bigint;
  /** Runs so far. */
  readonly runCount: number;
  /** Runs that failed by the program's own fault. */
  readonly failureCount: number;
  /** Runs that the provider's machine or agent spoiled. */
  readonly faultCount: number;
  /** Runs whose node fell silent. */
  readonly lostCount: number;
  /** Time that counts against max_run_seconds. */
  readonly usedMs: number;
}

/** The tasks of a job that has just been funded; the final one waits for the others. */
export function newTasks(
  job: Pick<Job, 'jobId' | 'spec'>,
  pricesMicros: readonly bigint[],
  nextId: () => string,
): Task[] {
  return Array.from({ length: totalTasks(job.spec) }, (_, taskIndex) => ({
    taskId: nextId(),
    jobId: job.jobId,
    taskIndex,
    state: taskIndex < job.spec.taskCount ? ('QUEUED' as const) : ('BLOCKED' as const),
    reason: '',
    priceMicrosMax: pricesMicros[taskIndex] ?? 0n,
    runCount: 0,
    failureCount: 0,
    faultCount: 0,
    lostCount: 0,
    usedMs: 0,
  }));
}

export const moveTask = (task: Task, to: TaskState, reason = ''): Task => ({
  ...task,
  state: moved(TASK_NEXT, task.state, to),
  reason,
});

/** What is left of the budget that all runs of a task share. */
export const remainingMs = (spec: JobSpec, task: Pick<Task, 'usedMs'>): number =>
  Math.max(0, spec.maxRunSeconds * 1_000 - task.usedMs);

/** How many tasks of a job are in each state. */
export type TaskCounts = Readonly<Partial<Record<TaskState, number>>>;

/** What a job's tasks say about it, once the change at hand is counted. */
export interface JobProgress {
  readonly state: JobState;
  readonly reason: string;
  /** The final task may start: all others succeeded. */
  readonly releaseFinal: boolean;
  /** The final task never starts: another one failed. */
  readonly dropFinal: boolean;
}

/**
 * Where a job stands: it fails when a task failed and none runs or waits any more (the others may finish, their artifacts
 * are wanted), it succeeds with its last task. A cancelled job stays cancelled.
 */
export function progressOf(
  job: Pick<Job, 'state' | 'spec' | 'reason'>,
  counts: TaskCounts,
  failedReason: string,
): JobProgress {
  const of = (state: TaskState): number => counts[state] ?? 0;
  const still = { state: job.state, reason: job.reason, releaseFinal: false, dropFinal: false };
  if (job.state !== 'QUEUED' && job.state !== 'RUNNING') return still;
  const open = of('QUEUED') + of('LEASED') + of('RUNNING');
  if (open > 0) return { ...still, state: of('RUNNING') > 0 ? startedState(job.state) : job.state };
  const blocked = of('BLOCKED') > 0;
  if (of('FAILED') > 0)
    return { ...still, state: moved(JOB_NEXT, job.state, 'FAILED'), reason: failedReason, dropFinal: blocked };
  if (blocked) return { ...still, releaseFinal: true };
  return { ...still, state: moved(JOB_NEXT, job.state, 'SUCCEEDED') };
}

const startedState = (state: JobState): JobState => (state === 'QUEUED' ? moved(JOB_NEXT, state, 'RUNNING') : state);

/** Cancelling takes every task that has not ended. */
export const cancelTask = (task: Task): Task =>
  isFinalTaskState(task.state) ? task : moveTask(task, 'CANCELLED', 'CANCELLED');
