import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { Client } from 'pg';
import type { Platform } from './platform';

/** Everything durable of a platform, by name (`billing.public.transfer`, `topic daya.usage.ticks`) → content. */
export type Census = ReadonlyMap<string, string>;

const TABLES = `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`;

/** Row counts and order-independent checksums of every table, ends of every topic, files of the blob store. */
export async function takeCensus(platform: Platform): Promise<Census> {
  const databases = Object.entries(platform.databases);
  const parts = await Promise.all([
    ...databases.map(([service, { auditUrl }]) => tablesOf(service, auditUrl)),
    topicsOf(platform),
    Promise.resolve(filesOf(platform)),
  ]);
  return new Map(parts.flat());
}

async function tablesOf(service: string, url: string): Promise<[string, string][]> {
  const client = new Client({ connectionString: url, application_name: 'hostile-census' });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(TABLES);
    const counted: [string, string][] = [];
    for (const { name } of rows) {
      const sum = `coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)`;
      const result = await client.query<{ rows: string; sum: string }>(
        `SELECT count(*)::text AS rows, ${sum}::text AS sum FROM ${name} t`,
      );
      counted.push([`${service} ${name}`, `${result.rows[0]?.rows} rows, checksum ${result.rows[0]?.sum}`]);
    }
    return counted;
  } finally {
    await client.end();
  }
}

async function topicsOf({ env }: Platform): Promise<[string, string][]> {
  const brokers = (env['dispatch'] ?? env['billing'])?.['KAFKA_BROKERS'];
  if (brokers === undefined) throw new Error('platform.json names no Kafka');
  const admin = new Kafka({
    brokers: brokers.split(','),
    clientId: 'hostile-census',
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.includes('daya.'));
    return await Promise.all(
      topics.sort().map(async (topic): Promise<[string, string]> => {
        const offsets = await admin.fetchTopicOffsets(topic);
        return [
          `topic ${topic}`,
          offsets
            .map(({ partition, high }) => `${partition}:${high}`)
            .sort()
            .join(' '),
        ];
      }),
    );
  } finally {
    await admin.disconnect();
  }
}

function filesOf({ env }: Platform): [string, string][] {
  const folder = env['dispatch']?.['STORE_FOLDER'] ?? env['dispatch']?.['ARTIFACT_FOLDER'];
  if (folder === undefined || !existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const hash = createHash('sha256');
  for (const name of names) hash.update(name).update(readFileSync(name));
  return [['dispatch files', `${names.length} files, sha256 ${hash.digest('hex')}`]];
}

/** What differs, as `name: before → after`. */
export function differences(before: Census, after: Census): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `${name}: ${before.get(name) ?? 'absent'} → ${after.get(name) ?? 'absent'}`);
}
