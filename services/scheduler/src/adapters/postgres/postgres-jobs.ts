import { DomainError } from '@daya/kernel';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Jobs, SealedSecrets, StoredProgress } from '../../application/ports';
import type { Job, Task } from '../../domain/job';
import type { TaskState } from '../../domain/states';
import {
  JOB_COLUMNS,
  OPEN_RUN_STATES,
  specToJson,
  TASK_COLUMNS,
  toJob,
  toTask,
  type JobRow,
  type TaskRow,
} from './rows';

/** Jobs and tasks of one transaction; `touched` collects the jobs that the feed must hear of after the commit. */
export class PostgresJobs implements Jobs {
  constructor(
    private readonly em: EntityManager,
    private readonly touched: Set<string>,
  ) {}

  async insert(job: Job, secrets: SealedSecrets, holdPending: boolean): Promise<void> {
    const values = [
      job.jobId,
      job.organisationId,
      job.projectId,
      job.state,
      specToJson(job.spec),
      secrets ? Buffer.from(secrets) : null,
      job.quoteId || null,
      job.quoteMicros.toString(),
      job.reason,
      job.canaryNodeId || null,
      job.createTime,
      job.version.toString(),
      holdPending,
    ];
    await write(
      this.em,
      `INSERT INTO job (job_id, organisation_id, project_id, state, spec, secrets, quote_id, quote_micros, reason, canary_node_id, create_time, version, hold_pending)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      values,
      { job_quote: () => new DomainError('precondition', 'QUOTE_USED', 'another job was submitted under this quote') },
    );
    this.touched.add(job.jobId);
  }

  async insertTasks(job: Job, tasks: readonly Task[]): Promise<void> {
    await write(this.em, INSERT_TASKS_SQL, taskValues(job, tasks));
  }

  async lock(jobId: string): Promise<Job | undefined> {
    const [row]: JobRow[] = await this.em.query(
      `SELECT ${JOB_COLUMNS} FROM job j WHERE j.job_id = $1 FOR NO KEY UPDATE`,
      [jobId],
    );
    return row && toJob(row);
  }

  async save(jobs: readonly Job[]): Promise<void> {
    if (jobs.length === 0) return;
    await write(
      this.em,
      `UPDATE job j SET state = n.state, reason = n.reason, end_time = n.end_time, version = j.version + 1
       FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS n (job_id, state, reason, end_time) WHERE j.job_id = n.job_id`,
      [
        jobs.map((job) => job.jobId),
        jobs.map((job) => job.state),
        jobs.map((job) => job.reason),
        jobs.map((job) => job.endTime ?? null),
      ],
    );
    for (const { jobId } of jobs) this.touched.add(jobId);
  }

  async saveFunded(job: Job, tasks: readonly Task[]): Promise<void> {
    await write(
      this.em,
      `WITH saved AS (UPDATE job SET hold_pending = false, state = $7, reason = $8, end_time = $9, version = version + 1 WHERE job_id = $1)
       ${INSERT_TASKS_SQL}`,
      [...taskValues(job, tasks), job.state, job.reason, job.endTime ?? null],
    );
    this.touched.add(job.jobId);
  }

  async queueFunded(funded: readonly { readonly job: Job; readonly tasks: readonly Task[] }[]): Promise<Set<string>> {
    if (funded.length === 0) return new Set();
    const jobs = funded.map(({ job }) => job);
    const tasks = funded.flatMap((each) => each.tasks);
    const column = <T>(of: (task: Task) => T): T[] => tasks.map(of);
    const rows: { job_id: string }[] = await this.em.query(
      `WITH funded AS MATERIALIZED (
         SELECT j.job_id, j.organisation_id FROM job j JOIN unnest($1::uuid[], $2::bigint[]) AS n (job_id, version) USING (job_id)
         WHERE j.state = 'FUNDING' AND j.version = n.version ORDER BY j.job_id FOR NO KEY UPDATE OF j),
       saved AS (UPDATE job j SET hold_pending = false, state = 'QUEUED', version = j.version + 1 FROM funded f WHERE j.job_id = f.job_id),
       tasks AS (INSERT INTO task ${TASK_FIELDS}
         SELECT n.task_id, f.job_id, f.organisation_id, n.task_index, n.state, '', n.price, 0, 0, 0, 0, 0, clock_timestamp()
         FROM unnest($3::uuid[], $4::uuid[], $5::int[], $6::text[], $7::bigint[]) AS n (task_id, job_id, task_index, state, price) JOIN funded f USING (job_id))
       SELECT job_id FROM funded`,
      [
        jobs.map((job) => job.jobId),
        jobs.map((job) => (job.version - 1n).toString()),
        column((t) => t.taskId),
        column((t) => t.jobId),
        column((t) => t.taskIndex),
        column((t) => t.state),
        column((t) => t.priceMicrosMax.toString()),
      ],
    );
    for (const row of rows) this.touched.add(row.job_id);
    return new Set(rows.map((row) => row.job_id));
  }

  async lockTasks(jobId: string): Promise<Task[]> {
    const rows: TaskRow[] = await this.em.query(
      `SELECT ${TASK_COLUMNS} FROM task t WHERE t.job_id = $1 ORDER BY t.task_id FOR NO KEY UPDATE`,
      [jobId],
    );
    return rows.map(toTask);
  }

  async saveTasks(tasks: readonly Task[]): Promise<void> {
    if (tasks.length === 0) return;
    const column = <T>(of: (task: Task) => T): T[] => tasks.map(of);
    await write(
      this.em,
      `UPDATE task t SET state = n.state, reason = n.reason, failure_count = n.failures, fault_count = n.faults, lost_count = n.losts, used_ms = n.used_ms,
         queue_time = CASE WHEN n.state = 'QUEUED' AND t.state <> 'QUEUED' THEN clock_timestamp() ELSE t.queue_time END
       FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::bigint[]) AS n (task_id, state, reason, failures, faults, losts, used_ms)
       WHERE t.task_id = n.task_id`,
      [
        column((t) => t.taskId),
        column((t) => t.state),
        column((t) => t.reason),
        column((t) => t.failureCount),
        column((t) => t.faultCount),
        column((t) => t.lostCount),
        column((t) => t.usedMs),
      ],
    );
  }

  async progress(jobIds: readonly string[]): Promise<Map<string, StoredProgress>> {
    const rows: { job_id: string; state: TaskState; count: number; reason: string | null; open_runs: number }[] =
      await this.em.query(
        `SELECT t.job_id, t.state, count(*)::int AS count, min(t.reason) FILTER (WHERE t.state = 'FAILED') AS reason,
           (SELECT count(*)::int FROM run r WHERE r.job_id = t.job_id AND r.state IN ${OPEN_RUN_STATES}) AS open_runs
         FROM task t WHERE t.job_id = ANY($1::uuid[]) GROUP BY t.job_id, t.state`,
        [jobIds],
      );
    const found = new Map<string, StoredProgress>();
    for (const { job_id, state, count, reason, open_runs: openRuns } of rows) {
      const known = found.get(job_id);
      const failedReason = reason ?? known?.failedReason ?? '';
      found.set(job_id, { counts: { ...known?.counts, [state]: count }, failedReason, openRuns });
    }
    return found;
  }

  async isHoldPending(jobId: string): Promise<boolean> {
    const [row]: { hold_pending: boolean }[] = await this.em.query(`SELECT hold_pending FROM job WHERE job_id = $1`, [
      jobId,
    ]);
    return row?.hold_pending ?? false;
  }

  async settleHold(jobId: string): Promise<void> {
    await write(this.em, `UPDATE job SET hold_pending = false WHERE job_id = $1`, [jobId]);
  }
}

const TASK_FIELDS = `(task_id, job_id, organisation_id, task_index, state, reason, price_micros_max, run_count, failure_count, fault_count, lost_count, used_ms, queue_time)`;

const INSERT_TASKS_SQL = `INSERT INTO task ${TASK_FIELDS}
  SELECT task_id, $1, $2, task_index, state, '', price, 0, 0, 0, 0, 0, clock_timestamp()
  FROM unnest($3::uuid[], $4::int[], $5::text[], $6::bigint[]) AS n (task_id, task_index, state, price)`;

const taskValues = ({ jobId, organisationId }: Job, tasks: readonly Task[]): unknown[] => {
  const column = <T>(of: (task: Task) => T): T[] => tasks.map(of);
  return [
    jobId,
    organisationId,
    column((t) => t.taskId),
    column((t) => t.taskIndex),
    column((t) => t.state),
    column((t) => t.priceMicrosMax.toString()),
  ];
};
