import { eventsOfChange, type SchedulerEvent } from '../domain/events';
import { cancelTask, moveTask, progressOf, type Job, type Task } from '../domain/job';
import type { Run } from '../domain/lease';
import { taskAfter } from '../domain/run-end';
import { isFinalJob } from '../domain/states';
import type { LockedRun, Transaction } from './ports';

/** What the memory of the writer must learn after the commit. */
export interface Applied {
  readonly runs: readonly Run[];
  /** Tasks that wait for a place now, by job. */
  readonly requeued: readonly { readonly job: Job; readonly task: Task }[];
}

interface Change {
  readonly before: LockedRun;
  readonly after: Run;
}

/**
 * Stores changed runs with all that follows: their tasks, the final task, the job, the events. The rows are locked. A task
 * is decided when its run's GPUs are free; a job has finished when its last lease has ended.
 */
export async function applyRuns(tx: Transaction, changes: readonly Change[], now: Date): Promise<Applied> {
  const told = changes.map(({ before, after }) => ({ before, ...eventsOfChange(before.run, after) }));
  const runs = told.map(({ run }) => run);
  await tx.leases.saveRuns(runs);
  const tasks = changedTasks(told);
  await tx.jobs.saveTasks(tasks);
  const jobs = [...new Map(changes.map(({ before }) => [before.job.jobId, before.job])).values()];
  const outcome = await settleJobs(tx, jobs, now);
  await tx.events.append([...told.flatMap(({ events }) => events), ...outcome.events]);
  const jobOf = new Map(outcome.jobs.map((job) => [job.jobId, job]));
  const queued = [...tasks, ...outcome.released].filter(({ state }) => state === 'QUEUED');
  const requeued = queued.flatMap((task) => {
    const job = jobOf.get(task.jobId);
    return job ? [{ job, task }] : [];
  });
  return { runs, requeued };
}

/** Several runs of one task never change at once: only one is open. */
function changedTasks(told: readonly { before: LockedRun; run: Run }[]): Task[] {
  return told.flatMap(({ before, run }) => {
    const { task, job } = before;
    if (run.closeTime && !before.run.closeTime) return [taskAfter(task, run, job)];
    if (run.state === 'RUNNING' && task.state === 'LEASED') return [moveTask(task, 'RUNNING')];
    return [];
  });
}

/**
 * Brings locked jobs in line with their tasks and runs, which are stored already. Returns the jobs as they are now, final
 * tasks that may start, and the jobs' own events.
 */
export async function settleJobs(
  tx: Transaction,
  jobs: readonly Job[],
  now: Date,
): Promise<{ jobs: Job[]; released: Task[]; events: SchedulerEvent[] }> {
  const ids = jobs.map(({ jobId }) => jobId);
  const stored = await tx.jobs.progress(ids);
  const settled: Job[] = [];
  const released: Task[] = [];
  const finished: Job[] = [];
  for (const job of jobs) {
    const { counts = {}, failedReason = '', openRuns = 0 } = stored.get(job.jobId) ?? {};
    const progress = progressOf(job, counts, failedReason);
    if (progress.releaseFinal || progress.dropFinal)
      released.push(...(await moveFinal(tx, job, progress.releaseFinal)));
    const ends = isFinalJob(progress.state) && !job.endTime && openRuns === 0;
    const next: Job = {
      ...job,
      state: progress.state,
      reason: progress.reason,
      endTime: ends ? now : job.endTime,
    };
    if (ends) finished.push(next);
    settled.push(next);
  }
  const started = await tx.leases.startedOf(finished.map(({ jobId }) => jobId));
  const events = finished.map((job): SchedulerEvent => ({
    type: 'job-finished',
    job,
    startedLeaseIds: started.get(job.jobId) ?? [],
    endTime: now,
  }));
  await tx.jobs.save(settled);
  return { jobs: settled, released, events };
}

async function moveFinal(tx: Transaction, job: Job, release: boolean): Promise<Task[]> {
  const blocked = (await tx.jobs.lockTasks(job.jobId)).filter(({ state }) => state === 'BLOCKED');
  const changed = blocked.map((task) => (release ? moveTask(task, 'QUEUED') : cancelTask(task)));
  await tx.jobs.saveTasks(changed);
  return release ? changed : [];
}
