import type { Scope } from '@daya/kernel';
import type { ScopedTransactions } from '@daya/postgres';
import {
  MeteringQueries,
  type Discrepancy,
  type Page,
  type PageRequest,
  type RecordedWindow,
  type RefusedTick,
} from '../../application/ports';
import {
  toDiscrepancy,
  toRecordedWindow,
  toRefusedTick,
  type DiscrepancyRow,
  type TickRow,
  type WindowRow,
} from './rows';

const INT8_MAX = '9223372036854775807';
const FIRST_UUID = '00000000-0000-0000-0000-000000000000';
const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Under the scope's row-level security; its conditions are written out as well, since `system` has none. */
export class PostgresQueries extends MeteringQueries {
  constructor(private readonly transactions: ScopedTransactions) {
    super();
  }

  override usage(scope: Scope, jobId: string, { size, after }: PageRequest): Promise<Page<RecordedWindow>> {
    return this.transactions.run(scope, async (em) => {
      const rows: WindowRow[] = await em.query(
        `SELECT w.*, l.job_id, l.organisation_id, l.provider_organisation_id, l.node_id FROM usage_window w JOIN lease l USING (lease_id)
         WHERE l.job_id = $1 AND ($2::uuid IS NULL OR $2 IN (l.organisation_id, l.provider_organisation_id))
           AND (w.lease_id, w.window_start) > ($3::uuid, $4::timestamptz) ORDER BY w.lease_id, w.window_start LIMIT $5`,
        [jobId, organisationOf(scope), after?.['lease'] ?? FIRST_UUID, after?.['start'] ?? '-infinity', size + 1],
      );
      return pageOf(rows, size, toRecordedWindow, (row) => ({
        lease: row.lease_id,
        start: row.window_start.toISOString(),
      }));
    });
  }

  override discrepancies(scope: Scope, { size, after }: PageRequest): Promise<Page<Discrepancy>> {
    return this.transactions.run(scope, async (em) => {
      const rows: DiscrepancyRow[] = await em.query(
        `SELECT d.*, l.node_id FROM discrepancy d JOIN lease l USING (lease_id)
         WHERE ($1::uuid IS NULL OR $1 IN (l.organisation_id, l.provider_organisation_id))
           AND (d.create_time, d.discrepancy_id) < ($2::timestamptz, $3::uuid) ORDER BY d.create_time DESC, d.discrepancy_id DESC LIMIT $4`,
        [organisationOf(scope), after?.['time'] ?? 'infinity', after?.['id'] ?? LAST_UUID, size + 1],
      );
      return pageOf(rows, size, toDiscrepancy, (row) => ({
        time: row.create_time.toISOString(),
        id: row.discrepancy_id,
      }));
    });
  }

  override refusedTicks(nodeId: string, { size, after }: PageRequest): Promise<Page<RefusedTick>> {
    return this.transactions.run('system', async (em) => {
      const rows: TickRow[] = await em.query(
        `SELECT * FROM refused_tick WHERE ($1::uuid IS NULL OR node_id = $1) AND position < $2 ORDER BY position DESC LIMIT $3`,
        [nodeId === '' ? null : nodeId, after?.['position'] ?? INT8_MAX, size + 1],
      );
      return pageOf(rows, size, toRefusedTick, (row) => ({ position: row.position ?? '' }));
    });
  }
}

const organisationOf = (scope: Scope): string | null => (scope === 'system' ? null : scope.organisationId);

/** One row more than asked for was read: it says whether there is a next page, and is not shown. */
function pageOf<R, T>(
  rows: readonly R[],
  size: number,
  map: (row: R) => T,
  cursor: (row: R) => Record<string, string>,
): Page<T> {
  const last = rows[size - 1];
  return {
    rows: rows.slice(0, size).map(map),
    next: rows.length > size && last !== undefined ? cursor(last) : undefined,
  };
}
