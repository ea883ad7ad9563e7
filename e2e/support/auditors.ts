import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { Platform } from './platform';
import { queuedLeaseIds } from './queued-leases';

export interface Violation {
  readonly service: string;
  readonly auditor: string;
  readonly rows: readonly unknown[];
}

/** What auditors are given, by the name of the argument. */
type Given = Readonly<Record<string, unknown>>;

/** The auditors of docs/auditors.md by where they run; registry and the services without a database have none. */
export const AUDITORS: Readonly<Record<string, readonly string[]>> = {
  billing: ['audit_m1', 'audit_m2', 'audit_m3', 'audit_m4', 'audit_m5', 'audit_m8'],
  scheduler: ['audit_s1', 'audit_s2', 'audit_s3', 'audit_s6', 'audit_s7'],
  metering: ['audit_u1', 'audit_u2', 'audit_u3'],
  rewards: ['audit_w1', 'audit_w2', 'audit_w3'],
  audit: ['audit_e1', 'audit_e2', 'audit_e3', 'audit_u5'],
};

/**
 * Runs every auditor of every database by its read-only role. Empty: all invariants hold. Throws when an auditor is missing
 * or new, or wants something that nobody gives it: none is left out in silence.
 */
export async function violations(platform: Platform, graceSeconds: number): Promise<Violation[]> {
  // Before the databases are asked: a bell is rung after its lease is stored, and leases stay.
  const given: Given = { grace_seconds: graceSeconds, queued_lease_ids: await queuedLeaseIds(platform) };
  const joined = JSON.parse(readFileSync(join(platform.runDir, 'audit.json'), 'utf8')) as { url: string };
  const found = await Promise.all([
    ...Object.entries(platform.databases).map(([service, { auditUrl }]) => audit(service, auditUrl, given)),
    audit('audit', joined.url, given),
  ]);
  return found.flat();
}

const PATIENCE_MS = 30_000;

/**
 * What the auditors still find when they have had time to find nothing: without any grace, so that the rows of the test
 * that has just ended count, but again and again, since its last events may be under way.
 */
export async function lastingViolations(platform: Platform): Promise<Violation[]> {
  const endAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await violations(platform, 0);
    if (found.length === 0 || Date.now() > endAt) return found;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function audit(service: string, auditUrl: string, given: Given): Promise<Violation[]> {
  const client = new Client({ connectionString: auditUrl, statement_timeout: 30_000 });
  await client.connect();
  try {
    const violated: Violation[] = [];
    for (const { name, args } of await auditorsOf(client, service)) {
      const { rows } = await client.query(
        `SELECT * FROM ${name}(${args.map((_, index) => `$${index + 1}`).join(', ')}) LIMIT 20`,
        args.map((arg) => valueOf(given, name, arg)),
      );
      if (rows.length > 0) violated.push({ service, auditor: name, rows });
    }
    return violated;
  } finally {
    await client.end();
  }
}

async function auditorsOf(client: Client, service: string): Promise<{ name: string; args: string[] }[]> {
  const { rows } = await client.query<{ name: string; args: string[] }>(
    `SELECT proname AS name, proargnames[1:pronargs] AS args FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
     WHERE n.nspname = 'public' AND proname ~ '^audit_[a-z][0-9]+$' ORDER BY 1`,
  );
  const [there, wanted] = [rows.map(({ name }) => name).join(' '), (AUDITORS[service] ?? []).join(' ')];
  if (there !== wanted) throw new Error(`${service} has the auditors ${there || 'none'}, not ${wanted || 'none'}`);
  return rows;
}

function valueOf(given: Given, auditor: string, arg: string): unknown {
  if (!(arg in given)) throw new Error(`${auditor} wants ${arg}, which nobody gives it`);
  return given[arg];
}
