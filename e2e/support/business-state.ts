import { Client } from 'pg';
import type { DatabaseUrls } from './platform';

export interface Subject {
  readonly jobId: string;
  readonly leaseId: string;
  /** Whoever may gain or lose money. */
  readonly organisationIds: readonly string[];
}

/** Name of a table → its rows about the subject. */
export type BusinessState = Readonly<Record<string, readonly string[]>>;

/** Where refusals are recorded, and what moves by itself while a lease is renewed and rewards closes epochs. */
const RECORDS = [
  ...['scheduler.lease_report', 'metering.tick', 'metering.refused_tick'],
  ...['scheduler.lease_renewal', 'scheduler.outbox', 'metering.inbox', 'scheduler.aggregate_version'],
];
const MOVED_COLUMNS = `ARRAY['expire_time', 'due_time', 'event_version', 'epoch']`;

const TABLES = `
  SELECT c.relname AS table, array_agg(a.attname::text ORDER BY a.attname) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
  WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.attname IN ('job_id', 'lease_id', 'owner_id', 'payer_id', 'payee_id') GROUP BY 1 ORDER BY 1`;

/** Every row of every database that names the job, its lease, or the money of those who pay and earn; refusals apart. */
export async function businessState(
  databases: Readonly<Record<string, Pick<DatabaseUrls, 'auditUrl'>>>,
  subject: Subject,
): Promise<BusinessState> {
  const parts = await Promise.all(
    Object.entries(databases).map(([service, { auditUrl }]) => rowsOf(service, auditUrl, subject)),
  );
  return Object.fromEntries(parts.flat());
}

async function rowsOf(service: string, url: string, subject: Subject): Promise<[string, string[]][]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ table: string; columns: string[] }>(TABLES);
    const found: [string, string[]][] = [];
    for (const { table, columns } of tables.filter((each) => !RECORDS.includes(`${service}.${each.table}`))) {
      const isOurs = columns.map((column) => `t.${column}::text = ANY($1::text[])`).join(' OR ');
      const { rows } = await client.query<{ row: string }>(
        `SELECT (to_jsonb(t) - ${MOVED_COLUMNS})::text AS row FROM "${table}" t WHERE ${isOurs} ORDER BY 1`,
        [[subject.jobId, subject.leaseId, ...subject.organisationIds]],
      );
      if (rows.length > 0) found.push([`${service}.${table}`, rows.map(({ row }) => row)]);
    }
    return found;
  } finally {
    await client.end();
  }
}
