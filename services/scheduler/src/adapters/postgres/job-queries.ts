import type { Scope } from '@daya/kernel';
import type { ScopedTransactions } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { JobQueries, type JobFilter, type JobView, type OfferFacts, type TaskView } from '../../application/ports';
import type { Job } from '../../domain/job';
import { isFinalTask } from '../../domain/job-spec';
import type { Artifact } from '../../domain/report';
import {
  JOB_COLUMNS,
  RUN_COLUMNS,
  RUN_JOINS,
  specFromJson,
  TASK_COLUMNS,
  toJob,
  toRun,
  toTask,
  type JobRow,
  type RunRow,
  type TaskRow,
} from './rows';

interface ArtifactRow {
  readonly task_id: string;
  readonly path: string;
  readonly bytes: string;
  readonly sha256: string;
}

const toArtifact = ({ path, bytes, sha256 }: ArtifactRow): Artifact => ({ path, bytes: BigInt(bytes), sha256 });

/** SQL straight to what is shown; the scope's policies filter. */
export class PostgresJobQueries extends JobQueries {
  constructor(private readonly transactions: ScopedTransactions) {
    super();
  }

  override job(scope: Scope, jobId: string): Promise<JobView | undefined> {
    return this.transactions.run(
      scope,
      async (em) => {
        const [row]: JobRow[] = await em.query(`SELECT ${JOB_COLUMNS} FROM job j WHERE j.job_id = $1`, [jobId]);
        return row && { job: toJob(row), tasks: await readTasks(em, jobId) };
      },
      { isolation: 'REPEATABLE READ' },
    );
  }

  override version(scope: Scope, jobId: string): Promise<bigint | undefined> {
    return this.transactions.run(scope, async (em) => {
      const [row]: { version: string }[] = await em.query(`SELECT version FROM job WHERE job_id = $1`, [jobId]);
      return row && BigInt(row.version);
    });
  }

  override jobs(scope: Scope, { projectId, state, limit, before }: JobFilter): Promise<Job[]> {
    return this.transactions.run(scope, async (em) => {
      const rows: JobRow[] = await em.query(
        `SELECT ${JOB_COLUMNS} FROM job j
         WHERE ($1::uuid IS NULL OR j.project_id = $1) AND ($2::text IS NULL OR j.state = $2)
           AND ($3::timestamptz IS NULL OR (j.create_time, j.job_id) < ($3, $4::uuid))
         ORDER BY j.create_time DESC, j.job_id DESC LIMIT $5`,
        [projectId ?? null, state ?? null, before?.createTime ?? null, before?.jobId ?? null, limit],
      );
      return rows.map(toJob);
    });
  }

  override artifact(scope: Scope, jobId: string, taskIndex: number, path: string): Promise<Artifact | undefined> {
    return this.transactions.run(scope, async (em) => {
      const [row]: ArtifactRow[] = await em.query(
        `SELECT a.* FROM artifact a JOIN task t USING (task_id) WHERE t.job_id = $1 AND t.task_index = $2 AND a.path = $3`,
        [jobId, taskIndex, path],
      );
      return row && toArtifact(row);
    });
  }

  override blob(organisationId: string, sha256: string): Promise<bigint | undefined> {
    return this.transactions.run('system', async (em) => {
      const [row]: { bytes: string }[] = await em.query(
        `SELECT bytes FROM blob WHERE organisation_id = $1 AND sha256 = $2
         UNION ALL SELECT bytes FROM artifact WHERE organisation_id = $1 AND sha256 = $2 LIMIT 1`,
        [organisationId, sha256],
      );
      return row && BigInt(row.bytes);
    });
  }

  override async offers(leaseIds: readonly string[]): Promise<OfferFacts[]> {
    const rows = await this.transactions.read<RunRow & { spec: unknown; secrets: Buffer | null }>(
      `SELECT ${RUN_COLUMNS}, j.spec, j.secrets FROM ${RUN_JOINS} JOIN job j ON j.job_id = l.job_id WHERE lease_id = ANY($1::uuid[])`,
      [leaseIds],
    );
    const facts = rows.map((row) => ({
      run: toRun(row),
      spec: specFromJson(row.spec),
      secrets: row.secrets ?? undefined,
    }));
    const finals = facts.filter(({ run: { terms }, spec }) => isFinalTask(spec, terms.taskIndex));
    const earlier = await this.earlier(finals.map(({ run }) => run.terms.jobId));
    return facts.map((one) => ({ ...one, earlier: earlier.get(one.run.terms.jobId) ?? [] }));
  }

  /** The artifacts of all tasks but the final one, by job; they do not change once it is offered. */
  private async earlier(jobIds: readonly string[]): Promise<Map<string, (Artifact & { taskIndex: number })[]>> {
    const found = new Map<string, (Artifact & { taskIndex: number })[]>();
    if (jobIds.length === 0) return found;
    const rows = await this.transactions.read<ArtifactRow & { job_id: string; task_index: number }>(
      `SELECT a.job_id, t.task_index, a.task_id, a.path, a.bytes, a.sha256 FROM artifact a JOIN task t USING (task_id)
       WHERE a.job_id = ANY($1::uuid[]) ORDER BY t.task_index, a.path`,
      [jobIds],
    );
    for (const row of rows) {
      const list = found.get(row.job_id) ?? [];
      list.push({ ...toArtifact(row), taskIndex: row.task_index });
      found.set(row.job_id, list);
    }
    return found;
  }
}

async function readTasks(em: EntityManager, jobId: string): Promise<TaskView[]> {
  const tasks: TaskRow[] = await em.query(
    `SELECT ${TASK_COLUMNS} FROM task t WHERE t.job_id = $1 ORDER BY t.task_index`,
    [jobId],
  );
  const runs: RunRow[] = await em.query(
    `SELECT ${RUN_COLUMNS} FROM ${RUN_JOINS} WHERE r.job_id = $1 ORDER BY l.task_id, l.run_number`,
    [jobId],
  );
  const artifacts: ArtifactRow[] = await em.query(
    `SELECT task_id, path, bytes, sha256 FROM artifact WHERE job_id = $1 ORDER BY path`,
    [jobId],
  );
  const runsOf = byTask(runs);
  const artifactsOf = byTask(artifacts);
  return tasks.map((row) => ({
    task: toTask(row),
    runs: (runsOf.get(row.task_id) ?? []).map(toRun),
    artifacts: (artifactsOf.get(row.task_id) ?? []).map(toArtifact),
  }));
}

function byTask<R extends { readonly task_id: string }>(rows: readonly R[]): Map<string, R[]> {
  const found = new Map<string, R[]>();
  for (const row of rows) {
    const list = found.get(row.task_id);
    if (list) list.push(row);
    else found.set(row.task_id, [row]);
  }
  return found;
}
