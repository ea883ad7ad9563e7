import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { reportKey, type RecordedReport } from '../../application/ports';
import type { LeaseReport, ReportOutcome } from '../../domain/report';

/** What became of reports that were here before, by `reportKey`. */
export async function seenReports(
  em: EntityManager,
  reports: readonly LeaseReport[],
): Promise<Map<string, ReportOutcome>> {
  const rows: { node_id: string; report_id: string; outcome: ReportOutcome }[] = await em.query(
    `SELECT p.node_id, p.report_id, p.outcome FROM unnest($1::uuid[], $2::text[]) AS n (node_id, report_id) JOIN lease_report p USING (node_id, report_id)`,
    [reports.map((one) => one.nodeId), reports.map((one) => one.reportId)],
  );
  return new Map(rows.map((row) => [reportKey({ nodeId: row.node_id, reportId: row.report_id }), row.outcome]));
}

/** Keeps every report with its outcome, stale and refused ones too. */
export async function recordReports(em: EntityManager, recorded: readonly RecordedReport[]): Promise<void> {
  if (recorded.length === 0) return;
  const column = <T>(of: (one: RecordedReport) => T): T[] => recorded.map(of);
  await write(
    em,
    `INSERT INTO lease_report (node_id, report_id, lease_id, lease_token, kind, exit_reason, cumulative_ms, outcome, reason, receive_time)
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::timestamptz[])
     ON CONFLICT DO NOTHING`,
    [
      column((r) => r.report.nodeId),
      column((r) => r.report.reportId),
      column((r) => r.report.leaseId),
      column((r) => r.report.leaseToken.toString()),
      column((r) => r.report.body.kind),
      column(({ report: { body } }) => ('reason' in body ? body.reason : '')),
      column(({ report: { body } }) => (body.kind === 'EXITED' ? body.cumulativeMs.toString() : '0')),
      column((r) => r.outcome),
      column((r) => r.reason),
      column((r) => r.report.receiveTime),
    ],
  );
}
