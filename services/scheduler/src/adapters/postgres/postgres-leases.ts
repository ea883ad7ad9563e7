import { DomainError } from '@daya/kernel';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Leases, LockedRun, RecordedReport } from '../../application/ports';
import type { Task } from '../../domain/job';
import type { LeaseTerms, Run } from '../../domain/lease';
import type { Artifact, LeaseReport, ReportOutcome } from '../../domain/report';
import {
  JOB_COLUMNS,
  OPEN_RUN_STATES,
  RUN_COLUMNS,
  RUN_JOINS,
  TASK_COLUMNS,
  toJob,
  toRun,
  toTask,
  type JobRow,
  type RunRow,
  type TaskRow,
} from './rows';
import { recordReports, seenReports } from './postgres-reports';

const SHARD = 0;

const fenced = (): DomainError =>
  new DomainError('unavailable', 'WRITER_FENCED', 'another scheduler has become the writer');

/** Leases, runs and reports of one transaction; `touched` collects the jobs that the feed must hear of. */
export class PostgresLeases implements Leases {
  constructor(
    private readonly em: EntityManager,
    private readonly touched: Set<string>,
  ) {}

  async requireRange(rangeId: bigint): Promise<void> {
    const [row]: { range_id: string }[] = await this.em.query(
      `SELECT range_id FROM placement_range WHERE shard = $1 FOR SHARE`,
      [SHARD],
    );
    if (row?.range_id !== rangeId.toString()) throw fenced();
  }

  async lockQueued(tasks: readonly Pick<Task, 'taskId' | 'jobId' | 'runCount'>[]): Promise<Set<string>> {
    if (tasks.length === 0) return new Set();
    // A task is locked only once its job is, and what has changed meanwhile is looked at again.
    const rows: { task_id: string }[] = await this.em.query(
      `WITH jobs AS MATERIALIZED (SELECT job_id FROM job WHERE job_id = ANY($3::uuid[]) ORDER BY job_id FOR NO KEY UPDATE)
       SELECT t.task_id FROM jobs JOIN task t USING (job_id) JOIN unnest($1::uuid[], $2::int[]) AS w (task_id, run_count) USING (task_id)
       WHERE t.task_id = ANY($1::uuid[]) AND t.state = 'QUEUED' AND t.run_count = w.run_count ORDER BY t.task_id FOR NO KEY UPDATE OF t`,
      [
        tasks.map(({ taskId }) => taskId),
        tasks.map(({ runCount }) => runCount),
        [...new Set(tasks.map(({ jobId }) => jobId))],
      ],
    );
    return new Set(rows.map(({ task_id }) => task_id));
  }

  async grant(terms: readonly LeaseTerms[], expireTime: Date): Promise<void> {
    if (terms.length === 0) return;
    // One array parameter per batch: Postgres plans one statement whatever the batch's size.
    await write(
      this.em,
      `WITH granted AS (INSERT INTO lease SELECT * FROM jsonb_populate_recordset(NULL::lease, $1::jsonb) RETURNING *),
           gpus AS (INSERT INTO lease_gpu (lease_id, node_id, gpu_uuid) SELECT lease_id, node_id, unnest(gpu_uuids) FROM granted),
           runs AS (INSERT INTO run (lease_id, task_id, run_number, job_id, organisation_id, state)
             SELECT lease_id, task_id, run_number, job_id, organisation_id, 'OFFERED' FROM granted),
           renewals AS (INSERT INTO lease_renewal (lease_id, expire_time) SELECT lease_id, $2 FROM granted),
           tasks AS (UPDATE task t SET state = 'LEASED', reason = '', run_count = t.run_count + 1 FROM granted g WHERE t.task_id = g.task_id)
         UPDATE job SET version = version + 1 WHERE job_id IN (SELECT job_id FROM granted)`,
      [JSON.stringify(terms.map(toLeaseRow)), expireTime],
      { lease_token_once: fenced, lease_run_once: fenced, lease_task_open: fenced, lease_gpu_open: fenced },
    );
    for (const { jobId } of terms) this.touched.add(jobId);
  }

  async lock(leaseIds: readonly string[]): Promise<LockedRun[]> {
    if (leaseIds.length === 0) return [];
    const jobRows: Promise<JobRow[]> = this.em.query(
      `SELECT ${JOB_COLUMNS} FROM job j WHERE j.job_id IN (SELECT job_id FROM run WHERE lease_id = ANY($1::uuid[]))
       ORDER BY j.job_id FOR NO KEY UPDATE`,
      [leaseIds],
    );
    const taskRows: Promise<TaskRow[]> = this.em.query(
      `SELECT ${TASK_COLUMNS} FROM task t WHERE t.task_id IN (SELECT task_id FROM run WHERE lease_id = ANY($1::uuid[]))
       ORDER BY t.task_id FOR NO KEY UPDATE`,
      [leaseIds],
    );
    const runRows: Promise<RunRow[]> = this.em.query(
      `SELECT ${RUN_COLUMNS} FROM ${RUN_JOINS} WHERE lease_id = ANY($1::uuid[]) ORDER BY lease_id FOR NO KEY UPDATE OF r`,
      [leaseIds],
    );
    const locked = await Promise.all([jobRows, taskRows, runRows]);
    const jobs = new Map(locked[0].map((row) => [row.job_id, toJob(row)]));
    const tasks = new Map(locked[1].map((row) => [row.task_id, toTask(row)]));
    return locked[2].flatMap((row) => {
      const job = jobs.get(row.job_id);
      const task = tasks.get(row.task_id);
      return job && task ? [{ run: toRun(row), task, job }] : [];
    });
  }

  async lockOpenOf(jobId: string): Promise<Run[]> {
    const rows: RunRow[] = await this.em.query(
      `SELECT ${RUN_COLUMNS} FROM ${RUN_JOINS} WHERE r.job_id = $1 AND r.state IN ${OPEN_RUN_STATES} ORDER BY lease_id FOR NO KEY UPDATE OF r`,
      [jobId],
    );
    return rows.map(toRun);
  }

  async saveRuns(runs: readonly Run[]): Promise<void> {
    if (runs.length === 0) return;
    const column = <T>(of: (run: Run) => T): T[] => runs.map(of);
    const ids = column((run) => run.terms.leaseId);
    await write(
      this.em,
      `UPDATE run r SET state = n.state, start_time = n.start_time, exit_code = n.exit_code, reason = n.reason, fault = n.fault, stop_reason = n.stop_reason,
         event_version = n.event_version
       FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::int[], $5::text[], $6::text[], $7::text[], $8::bigint[])
         AS n (lease_id, state, start_time, exit_code, reason, fault, stop_reason, event_version) WHERE r.lease_id = n.lease_id`,
      [
        ids,
        column((run) => run.state),
        column((run) => run.startTime ?? null),
        column((run) => run.exitCode),
        column((run) => run.reason),
        column((run) => run.fault ?? null),
        column((run) => run.stopReason ?? null),
        column((run) => run.eventVersion.toString()),
      ],
    );
    await this.saveEnds(runs.filter(({ endTime }) => endTime));
  }

  private async saveEnds(runs: readonly Run[]): Promise<void> {
    if (runs.length === 0) return;
    const column = <T>(of: (run: Run) => T): T[] => runs.map(of);
    await write(
      this.em,
      `WITH n AS (SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[])
           AS n (lease_id, end_time, closed_at, expire_time)),
         gpus AS (UPDATE lease_gpu g SET closed_at = n.closed_at FROM n WHERE g.lease_id = n.lease_id AND n.closed_at IS NOT NULL),
         renewals AS (UPDATE lease_renewal r SET expire_time = greatest(r.expire_time, n.expire_time) FROM n WHERE r.lease_id = n.lease_id)
       UPDATE lease l SET end_time = n.end_time, closed_at = n.closed_at FROM n WHERE l.lease_id = n.lease_id`,
      [
        column((run) => run.terms.leaseId),
        column((run) => run.endTime ?? null),
        column((run) => run.closeTime ?? null),
        column((run) => run.expireTime),
      ],
    );
  }

  async startedOf(jobIds: readonly string[]): Promise<Map<string, string[]>> {
    if (jobIds.length === 0) return new Map();
    const rows: { job_id: string; lease_ids: string[] }[] = await this.em.query(
      `SELECT job_id, array_agg(lease_id ORDER BY task_id, run_number) AS lease_ids
       FROM run WHERE job_id = ANY($1::uuid[]) AND start_time IS NOT NULL GROUP BY job_id`,
      [jobIds],
    );
    return new Map(rows.map((row) => [row.job_id, row.lease_ids]));
  }

  async addArtifacts({ terms }: Run, artifacts: readonly Artifact[]): Promise<void> {
    await write(
      this.em,
      `INSERT INTO artifact (task_id, job_id, organisation_id, run_number, path, bytes, sha256)
       SELECT $1, $2, $3, $4, n.* FROM unnest($5::text[], $6::bigint[], $7::text[]) AS n`,
      [
        terms.taskId,
        terms.jobId,
        terms.organisationId,
        terms.runNumber,
        artifacts.map((one) => one.path),
        artifacts.map((one) => one.bytes.toString()),
        artifacts.map((one) => one.sha256),
      ],
    );
  }

  seenReports(reports: readonly LeaseReport[]): Promise<Map<string, ReportOutcome>> {
    return seenReports(this.em, reports);
  }

  recordReports(recorded: readonly RecordedReport[]): Promise<void> {
    return recordReports(this.em, recorded);
  }

  async renew(
    renewals: readonly { leaseId: string; expireTime: Date }[],
  ): Promise<{ leaseId: string; expireTime: Date; version: bigint }[]> {
    const ids = renewals.map(({ leaseId }) => leaseId);
    const [rows]: [{ lease_id: string; event_version: string }[], number] = await this.em.query(
      `UPDATE run SET event_version = event_version + 1 WHERE lease_id IN (
         SELECT lease_id FROM run WHERE lease_id = ANY($1::uuid[]) AND state IN ${OPEN_RUN_STATES} ORDER BY lease_id FOR NO KEY UPDATE)
       RETURNING lease_id, event_version`,
      [ids],
    );
    const version = new Map(rows.map((row) => [row.lease_id, BigInt(row.event_version)]));
    const live = renewals.filter(({ leaseId }) => version.has(leaseId));
    await this.saveRenewals(
      live.map((one) => one.leaseId),
      live.map((one) => one.expireTime),
    );
    return live.map((one) => ({ ...one, version: version.get(one.leaseId) ?? 0n }));
  }

  private async saveRenewals(leaseIds: readonly string[], expireTimes: readonly Date[]): Promise<void> {
    await write(
      this.em,
      `UPDATE lease_renewal r SET expire_time = greatest(r.expire_time, n.expire_time)
       FROM unnest($1::uuid[], $2::timestamptz[]) AS n (lease_id, expire_time) WHERE r.lease_id = n.lease_id`,
      [leaseIds, expireTimes],
    );
  }
}

const toLeaseRow = (t: LeaseTerms) => ({
  lease_id: t.leaseId,
  lease_token: t.leaseToken.toString(),
  node_id: t.nodeId,
  provider_id: t.providerId,
  provider_organisation_id: t.providerOrganisationId,
  organisation_id: t.organisationId,
  project_id: t.projectId,
  job_id: t.jobId,
  task_id: t.taskId,
  task_index: t.taskIndex,
  run_number: t.runNumber,
  offer_id: t.offerId || null,
  offer_version: t.offerVersion.toString(),
  gpu_model_id: t.gpuModelId,
  gpu_uuids: t.gpuUuids,
  gpu_milli: t.gpuMilli,
  price_micros_per_gpu_hour: t.priceMicrosPerGpuHour.toString(),
  emulated: t.emulated,
  canary: t.canary,
  cpu_milli: t.cpuMilli,
  memory_mib: t.memoryMib,
  scratch_mib: t.scratchMib,
  grant_time: t.grantTime,
  answer_time: t.answerTime,
  max_run_ms: t.maxRunMs,
  member_index: 0,
});
