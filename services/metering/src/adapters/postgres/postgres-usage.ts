import { appendEvent } from '@daya/messaging';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Usage } from '../../application/ports';
import type { Lease } from '../../domain/lease';
import type { UsageWindow } from '../../domain/usage';
import type { UsageRecord } from '../../domain/usage-record';
import { discrepancyEvent, usageEvent } from '../proto/events';
import { toWindow, type DiscrepancyRow, type WindowRow } from './rows';

export class PostgresUsage implements Usage {
  constructor(private readonly em: EntityManager) {}

  async windows(leaseId: string): Promise<UsageWindow[]> {
    const rows: WindowRow[] = await this.em.query(
      `SELECT * FROM usage_window WHERE lease_id = $1 ORDER BY window_start, window_end`,
      [leaseId],
    );
    return rows.map(toWindow);
  }

  async record(record: UsageRecord): Promise<void> {
    const { lease, window } = record;
    await write(
      this.em,
      `INSERT INTO usage_window (lease_id, window_start, window_end, version, usage_id, scheduler_ms, agent_ms, billable_ms,
         agent_cumulative_ms, billable_cumulative_ms, mscu_ms, final, estimated)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       ON CONFLICT (lease_id, window_start) DO UPDATE SET window_end = $3, version = $4, usage_id = $5, scheduler_ms = $6, agent_ms = $7,
         billable_ms = $8, agent_cumulative_ms = $9, billable_cumulative_ms = $10, mscu_ms = $11, final = $12, estimated = $13, record_time = now()`,
      [
        lease.leaseId,
        new Date(window.startMs),
        new Date(window.endMs),
        window.version,
        record.usageId,
        record.schedulerMs.toString(),
        record.agentMs.toString(),
        record.billableMs.toString(),
        window.agentCumulativeMs.toString(),
        window.billableCumulativeMs.toString(),
        record.mscuMs.toString(),
        window.final,
        window.estimated,
      ],
    );
    await appendEvent(this.em, usageEvent(record));
  }

  async withdrawDispute(leaseId: string): Promise<void> {
    await write(this.em, `DELETE FROM discrepancy WHERE lease_id = $1`, [leaseId]);
  }

  async dispute(lease: Lease, schedulerMs: bigint, agentMs: bigint, chargedMs: bigint): Promise<void> {
    const [row]: DiscrepancyRow[] = await this.em.query(
      `INSERT INTO discrepancy AS d (lease_id, scheduler_ms, agent_ms, charged_ms) VALUES ($1, $2, $3, $4)
       ON CONFLICT (lease_id) DO UPDATE SET scheduler_ms = $2, agent_ms = $3, charged_ms = $4
         WHERE (d.scheduler_ms, d.agent_ms, d.charged_ms) IS DISTINCT FROM ($2::bigint, $3::bigint, $4::bigint)
       RETURNING *, $5::uuid AS node_id`,
      [lease.leaseId, schedulerMs.toString(), agentMs.toString(), chargedMs.toString(), lease.nodeId],
    );
    if (row !== undefined) await appendEvent(this.em, discrepancyEvent(row));
  }
}
