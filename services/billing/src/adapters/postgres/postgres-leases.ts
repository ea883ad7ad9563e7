import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { LeaseCourse, Leases, RecordedUsage } from '../../application/ports';
import type { LeaseTerms } from '../../domain/charge';

export class PostgresLeases implements Leases {
  constructor(private readonly em: EntityManager) {}

  /**
   * An advisory lock, not the row's: whoever holds a job's lock writes the rows of all its leases, and would wait here for one
   * who holds a lease and waits for the job.
   */
  async lock(leaseId: string): Promise<{ readonly jobId: string | undefined; readonly isNew: boolean }> {
    await write(this.em, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [`billed_lease/${leaseId}`]);
    const [row]: { job_id: string | null }[] = await this.em.query(
      `SELECT job_id FROM billed_lease WHERE lease_id = $1`,
      [leaseId],
    );
    if (row === undefined) await write(this.em, `INSERT INTO billed_lease (lease_id) VALUES ($1)`, [leaseId]);
    return { jobId: row?.job_id ?? undefined, isNew: row === undefined };
  }

  async saveTerms(terms: LeaseTerms): Promise<void> {
    await write(
      this.em,
      `UPDATE billed_lease SET job_id = $2, payer_id = $3, payee_id = $4, asset = $5, provider_id = $6, node_id = $7, task_index = $8,
         run_number = $9, gpu_model_id = $10, gpu_milli = $11, price_micros_per_gpu_hour = $12, emulated = $13
       WHERE lease_id = $1 AND job_id IS NULL`,
      [
        terms.leaseId,
        terms.jobId,
        terms.payerId,
        terms.payeeId,
        terms.asset,
        terms.providerId,
        terms.nodeId,
        terms.taskIndex,
        terms.runNumber,
        terms.gpuModelId,
        terms.gpuMilli,
        terms.priceMicrosPerGpuHour.toString(),
        terms.emulated,
      ],
    );
  }

  async saveCourse(leaseId: string, { startTime, end }: LeaseCourse): Promise<void> {
    await write(
      this.em,
      `UPDATE billed_lease SET start_time = coalesce(start_time, $2), end_time = coalesce(end_time, $3),
         waived_reason = CASE WHEN end_time IS NULL THEN $4 ELSE waived_reason END WHERE lease_id = $1`,
      [leaseId, startTime ?? null, end?.endTime ?? null, end?.waivedReason ?? ''],
    );
  }

  /** The lease follows the last version of its last window, in whatever order records arrive. */
  async addUsage(usage: RecordedUsage): Promise<boolean> {
    const { usageId, leaseId, startTime, endTime, version, billableMs, cumulativeMs, final } = usage;
    const [row]: { added: boolean }[] = await this.em.query(
      `WITH fresh AS (
         INSERT INTO usage_window (usage_id, lease_id, window_start_time, window_end_time, version, billable_ms, cumulative_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (usage_id) DO NOTHING RETURNING usage_id, lease_id, cumulative_ms),
       waiting AS (INSERT INTO usage_waiting (usage_id, lease_id, cumulative_ms) SELECT * FROM fresh),
       lease AS (
         UPDATE billed_lease l SET billable_ms = $7, final_usage_in = $8, latest_start_time = $3, latest_version = $5
         FROM fresh f WHERE l.lease_id = f.lease_id
           AND (l.latest_version IS NULL OR ($3::timestamptz, $5::integer) > (l.latest_start_time, l.latest_version)))
       SELECT EXISTS (SELECT 1 FROM fresh) AS added`,
      [usageId, leaseId, startTime, endTime, version, billableMs.toString(), cumulativeMs.toString(), final],
    );
    return row?.added ?? false;
  }
}
