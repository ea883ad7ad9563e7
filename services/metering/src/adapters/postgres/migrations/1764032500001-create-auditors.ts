import { execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Auditors of this database (docs/auditors.md): each returns a row per violation, none on sound data. */
export const METERING_AUDITORS = ['audit_u1', 'audit_u2', 'audit_u3'] as const;

export class CreateAuditors1764032500001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, U1, U2, U3);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('auditors are replaced, never taken down'));
  }
}

/** U1: no two windows of a lease overlap. */
const U1 = `CREATE FUNCTION audit_u1(grace_seconds integer) RETURNS TABLE (lease_id uuid, window_start timestamptz) LANGUAGE sql STABLE AS $$
  SELECT a.lease_id, b.window_start FROM usage_window a JOIN usage_window b
    ON a.lease_id = b.lease_id AND a.window_start < b.window_start AND a.window_end > b.window_start $$`;

/** U2: once a lease is final its windows tile the billable time, from its start to the earlier of its end and last expiry. */
const U2 = `CREATE FUNCTION audit_u2(grace_seconds integer) RETURNS TABLE (lease_id uuid, covered_ms numeric, billable_ms numeric) LANGUAGE sql STABLE AS $$
  SELECT * FROM (
    SELECT l.lease_id,
      coalesce(sum(extract(epoch FROM w.window_end - w.window_start)), 0) * 1000 AS covered_ms,
      greatest(extract(epoch FROM least(l.end_time, l.expire_time) - l.start_time), 0) * 1000 AS billable_ms
    FROM lease l LEFT JOIN usage_window w ON w.lease_id = l.lease_id
    WHERE l.start_time IS NOT NULL AND l.end_time IS NOT NULL AND l.due_time IS NULL
      AND l.end_time < now() - make_interval(secs => grace_seconds)
    GROUP BY l.lease_id) tiling
  WHERE covered_ms <> billable_ms $$`;

/** U3: nothing before the start, nothing past the end or the last renewed expiry, never more than either witness. */
const U3 = `CREATE FUNCTION audit_u3(grace_seconds integer) RETURNS TABLE (lease_id uuid, window_start timestamptz) LANGUAGE sql STABLE AS $$
  SELECT w.lease_id, w.window_start FROM usage_window w JOIN lease l ON l.lease_id = w.lease_id
  WHERE w.window_start < l.start_time
     OR (w.window_end > w.window_start AND w.window_end > least(coalesce(l.end_time, 'infinity'), l.expire_time))
     OR w.billable_cumulative_ms > w.agent_cumulative_ms
     OR w.billable_cumulative_ms > greatest(extract(epoch FROM w.window_end - l.start_time), 0) * 1000 $$`;
