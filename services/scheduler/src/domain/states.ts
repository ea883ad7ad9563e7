export const JOB_STATES = ['FUNDING', 'REJECTED', 'QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
export type JobState = (typeof JOB_STATES)[number];

export const TASK_STATES = ['BLOCKED', 'QUEUED', 'LEASED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
export type TaskState = (typeof TASK_STATES)[number];

export const RUN_STATES = [
  'OFFERED',
  'ACCEPTED',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'LOST',
  'REFUSED',
] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Whose fault the end of a run was; PROVIDER and PLATFORM make it free of charge. */
export const FAULTS = ['NONE', 'CUSTOMER', 'PROVIDER', 'PLATFORM'] as const;
export type Fault = (typeof FAULTS)[number];

/** The legal moves; everything else is a bug. */
export const JOB_NEXT: Readonly<Record<JobState, readonly JobState[]>> = {
  FUNDING: ['QUEUED', 'REJECTED', 'CANCELLED'],
  REJECTED: [],
  QUEUED: ['RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  RUNNING: ['SUCCEEDED', 'FAILED', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
};

export const TASK_NEXT: Readonly<Record<TaskState, readonly TaskState[]>> = {
  BLOCKED: ['QUEUED', 'CANCELLED'],
  QUEUED: ['LEASED', 'FAILED', 'CANCELLED'],
  LEASED: ['RUNNING', 'QUEUED', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  RUNNING: ['QUEUED', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
};

const ENDS: readonly RunState[] = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST'];
export const RUN_NEXT: Readonly<Record<RunState, readonly RunState[]>> = {
  OFFERED: ['ACCEPTED', 'RUNNING', 'REFUSED', ...ENDS],
  ACCEPTED: ['RUNNING', 'REFUSED', ...ENDS],
  RUNNING: ENDS,
  SUCCEEDED: [],
  FAILED: [],
  CANCELLED: [],
  LOST: [],
  REFUSED: [],
};

export const isFinalJob = (state: JobState): boolean => JOB_NEXT[state].length === 0;
export const isFinalTaskState = (state: TaskState): boolean => TASK_NEXT[state].length === 0;
export const isFinalRun = (state: RunState): boolean => RUN_NEXT[state].length === 0;

/** Returns `to` when the table allows the move. Throws a plain Error otherwise: use cases decide before they move. */
export function moved<S extends string>(next: Readonly<Record<S, readonly S[]>>, from: S, to: S): S {
  if (!next[from].includes(to)) throw new Error(`illegal move from ${from} to ${to}`);
  return to;
}
