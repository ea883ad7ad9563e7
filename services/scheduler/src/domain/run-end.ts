import type { Job, Task } from './job';
import { moveTask, remainingMs } from './job';
import { isEnded, type Run, type RunEnd } from './lease';
import type { Fault, RunState } from './states';
import { moved, RUN_NEXT } from './states';

/** Runs that a machine, an agent or the platform spoiled, per task. */
export const FAULTS_PER_TASK_MAX = 5;
/** Runs whose node fell silent, per task. */
export const LOST_PER_TASK_MAX = 20;
/** Less than this is not worth a container. */
const RUN_MS_MIN = 1_000;

/** Ends that the program or its limits brought about. */
const CUSTOMER_REASONS = ['OOM', 'OOM_CHILD', 'DISK_FULL', 'DEADLINE', 'OUTPUT_INVALID'];
/** No other node would find them either. */
const IMAGE_REASONS = ['IMAGE_NOT_FOUND', 'IMAGE_INVALID', 'INPUT_INVALID'];
/** Refusals of a node that does its duty: it was offered too late, in a race, or while its owner wanted it back. */
const POLITE_REFUSALS = ['DRAINING', 'GPU_BUSY', 'STALE_TOKEN', 'OFFER_EXPIRED'];
const OFFER_UNANSWERED = 'OFFER_UNANSWERED';
const PROVIDER_REASONS = ['START_FAILED', 'AGENT_RESTARTED', 'FENCED', 'NODE_LOST'];
export const EXIT_REASONS = [
  'EXITED',
  'CANCELLED',
  ...CUSTOMER_REASONS,
  ...IMAGE_REASONS,
  ...PROVIDER_REASONS,
] as const;

const end = (state: RunState, reason: string, fault: Fault, exitCode = 0): RunEnd => ({
  state,
  reason,
  fault,
  exitCode,
});

/** What an agent's Exited report means; an unknown reason is the provider's fault. */
export function endOfExit(reason: string, exitCode: number): RunEnd {
  if (reason === 'EXITED' && exitCode === 0) return end('SUCCEEDED', reason, 'NONE');
  if (reason === 'EXITED') return end('FAILED', 'EXIT_CODE', 'CUSTOMER', exitCode);
  if (reason === 'CANCELLED') return end('CANCELLED', reason, 'NONE', exitCode);
  if (CUSTOMER_REASONS.includes(reason) || IMAGE_REASONS.includes(reason))
    return end('FAILED', reason, 'CUSTOMER', exitCode);
  return end('FAILED', reason, 'PROVIDER', exitCode);
}

export const lostEnd = (): RunEnd => end('LOST', 'NODE_LOST', 'PROVIDER');
export const unansweredEnd = (): RunEnd => end('REFUSED', OFFER_UNANSWERED, 'PROVIDER');
/**
 * What an agent's Refused report means. All but the polite ones are the provider's fault: a job that no node could run is
 * refused when it is submitted, so a node that finds one unsound has another inventory than it said, or another reason.
 */
export const refusedEnd = (reason: string): RunEnd =>
  end('REFUSED', reason, POLITE_REFUSALS.includes(reason) ? 'PLATFORM' : 'PROVIDER');
export const cancelledEnd = (): RunEnd => end('CANCELLED', 'CANCELLED', 'NONE');
export const restartedEnd = (): RunEnd => end('FAILED', 'AGENT_RESTARTED', 'PROVIDER');

/** Ends a run. A stopped run's success counts for nothing: cancel wins, the time used is still the customer's. */
export function endRun(run: Run, how: RunEnd, endTime: Date): Run {
  const outcome =
    run.stopReason === 'CANCELLED' && how.fault !== 'PROVIDER' ? { ...cancelledEnd(), exitCode: how.exitCode } : how;
  return {
    ...run,
    state: moved(RUN_NEXT, run.state, outcome.state),
    reason: outcome.reason,
    fault: outcome.fault,
    exitCode: outcome.exitCode,
    endTime,
  };
}

/** Time of a run that its task's budget pays for: the customer's, from the Running report on. */
export function budgetMs(run: Run): number {
  if (!isEnded(run) || !run.startTime || !run.endTime || run.fault === 'PROVIDER' || run.fault === 'PLATFORM') return 0;
  return Math.max(0, run.endTime.getTime() - run.startTime.getTime());
}

/**
 * What becomes of a task whose run has ended and whose GPUs are free: it succeeded, is tried again, or failed for good.
 * A task that was decided before (cancelled) stays as it is.
 */
export function taskAfter(task: Task, run: Run, job: Pick<Job, 'spec'>): Task {
  if (task.state !== 'LEASED' && task.state !== 'RUNNING') return { ...task, usedMs: task.usedMs + budgetMs(run) };
  const after = counted(task, run);
  if (run.state === 'SUCCEEDED') return moveTask(after, 'SUCCEEDED');
  if (run.state === 'CANCELLED') return moveTask(after, 'CANCELLED', run.reason);
  const hopeless = whyHopeless(after, run, job);
  return hopeless === undefined ? moveTask(after, 'QUEUED', run.reason) : moveTask(after, 'FAILED', hopeless);
}

function counted(task: Task, run: Run): Task {
  const customer = run.fault === 'CUSTOMER' ? 1 : 0;
  return {
    ...task,
    usedMs: task.usedMs + budgetMs(run),
    failureCount: task.failureCount + customer,
    faultCount: task.faultCount + (isSpoiled(run) ? 1 : 0),
    lostCount: task.lostCount + (run.state === 'LOST' ? 1 : 0),
  };
}

/**
 * A run that counts against its task's patience with others. A node that politely said no does not; one that said nothing
 * may never have been asked (dispatch or Redis was away), and is left alone for longer each time.
 */
const isSpoiled = ({ state, fault, reason }: Run): boolean =>
  (state === 'FAILED' && fault !== 'CUSTOMER') ||
  (state === 'REFUSED' && fault === 'PROVIDER' && reason !== OFFER_UNANSWERED);

/** Why no further run can help; undefined when one may. */
function whyHopeless(task: Task, run: Run, { spec }: Pick<Job, 'spec'>): string | undefined {
  if (IMAGE_REASONS.includes(run.reason)) return run.reason;
  if (task.failureCount > spec.maxRetries) return run.reason;
  if (remainingMs(spec, task) < RUN_MS_MIN) return 'DEADLINE';
  if (task.faultCount > FAULTS_PER_TASK_MAX) return 'PROVIDER_FAULTS_EXHAUSTED';
  if (task.lostCount > LOST_PER_TASK_MAX) return 'NODES_LOST_EXHAUSTED';
  return undefined;
}
