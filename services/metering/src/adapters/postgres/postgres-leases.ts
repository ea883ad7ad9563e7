import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { LeaseRow, Leases } from '../../application/ports';
import { toLease, type LeaseDbRow } from './rows';

export class PostgresLeases implements Leases {
  constructor(private readonly em: EntityManager) {}

  async lock(leaseId: string): Promise<LeaseRow | undefined> {
    // A lease that has no row yet cannot be locked by its row: ticks and news of it would pass each other.
    await write(this.em, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [leaseId]);
    const [row]: LeaseDbRow[] = await this.em.query(`SELECT * FROM lease WHERE lease_id = $1`, [leaseId]);
    return row && toLease(row);
  }

  async save(lease: LeaseRow): Promise<void> {
    await write(
      this.em,
      `INSERT INTO lease (lease_id, lease_token, node_id, organisation_id, provider_organisation_id, job_id, gpu_milli, mscu, start_time,
         expire_time, end_time, lost, gpu_model_id, end_heard_time)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
       ON CONFLICT (lease_id) DO UPDATE SET mscu = $8, start_time = $9, expire_time = $10, end_time = $11, lost = $12, end_heard_time = $14`,
      [
        lease.leaseId,
        lease.leaseToken.toString(),
        lease.nodeId,
        lease.organisationId,
        lease.providerOrganisationId,
        lease.jobId,
        lease.gpuMilli,
        lease.mscu,
        timeOf(lease.startMs),
        timeOf(lease.expireMs),
        timeOf(lease.endMs),
        lease.lost,
        lease.gpuModelId,
        timeOf(lease.endHeardMs),
      ],
    );
  }

  async rate(nodeId: string): Promise<void> {
    const [rated]: [{ lease_id: string }[], number] = await this.em.query(
      `UPDATE lease l SET mscu = r.mscu FROM node_rating r
       WHERE l.node_id = $1 AND l.mscu = 0 AND r.node_id = l.node_id AND r.gpu_model_id = l.gpu_model_id AND r.mscu > 0 RETURNING l.lease_id`,
      [nodeId],
    );
    if (rated.length === 0) return;
    await write(
      this.em,
      `UPDATE usage_window w SET mscu_ms = w.billable_ms * l.mscu * l.gpu_milli / 1000
       FROM lease l WHERE l.lease_id = w.lease_id AND l.lease_id = ANY($1::uuid[])`,
      [rated.map((row) => row.lease_id)],
    );
  }

  async schedule(leaseId: string, dueMs: number | undefined): Promise<void> {
    await write(this.em, `UPDATE lease SET due_time = $2 WHERE lease_id = $1`, [leaseId, timeOf(dueMs)]);
  }

  async due(nowMs: number, limit: number): Promise<string[]> {
    const rows: { lease_id: string }[] = await this.em.query(
      `SELECT lease_id FROM lease WHERE due_time <= $1 ORDER BY due_time LIMIT $2`,
      [new Date(nowMs), limit],
    );
    return rows.map((row) => row.lease_id);
  }
}

const timeOf = (ms: number | undefined): Date | null => (ms === undefined ? null : new Date(ms));
