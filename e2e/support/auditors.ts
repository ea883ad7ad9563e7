import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Platform } from './platform';

export interface Violation {
  readonly service: string;
  readonly auditor: string;
  readonly rows: readonly unknown[];
}

/** Runs every auditor (`audit_…(grace_seconds)`) of every database by its read-only role. Empty: all invariants hold. */
export async function violations(platform: Platform, graceSeconds: number): Promise<Violation[]> {
  const joined = JSON.parse(readFileSync(join(platform.runDir, 'audit.json'), 'utf8')) as { url: string };
  const found = await Promise.all([
    ...Object.entries(platform.databases).map(([service, { auditUrl }]) => audit(service, auditUrl, graceSeconds)),
    audit('audit', joined.url, graceSeconds),
  ]);
  return found.flat();
}

async function audit(service: string, auditUrl: string, graceSeconds: number): Promise<Violation[]> {
  const client = new Client({ connectionString: auditUrl, statement_timeout: 30_000 });
  await client.connect();
  try {
    const { rows: auditors } = await client.query<{ name: string }>(
      `SELECT proname AS name FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
       WHERE n.nspname = 'public' AND proname ~ '^audit_[a-z][0-9]+$' AND pg_get_function_identity_arguments(pg_proc.oid) = 'grace_seconds integer' ORDER BY 1`,
    );
    if (auditors.length === 0 && service !== 'registry') throw new Error(`${service} has no auditors`);
    const violated: Violation[] = [];
    for (const { name } of auditors) {
      const { rows } = await client.query(`SELECT * FROM ${name}($1) LIMIT 20`, [graceSeconds]);
      if (rows.length > 0) violated.push({ service, auditor: name, rows });
    }
    return violated;
  } finally {
    await client.end();
  }
}
