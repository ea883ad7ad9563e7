import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { script, type Infra, type Platform } from './platform';

/** Those that handle what others tell come first, so that a copy never shows an effect without its cause. */
const SERVICES = ['billing', 'metering', 'scheduler', 'registry'] as const;
export type Copied = (typeof SERVICES)[number];

interface AuditDatabaseModule {
  createAuditDatabase(options: {
    infra: Infra;
    databases: Readonly<Record<string, { readonly auditUrl: string }>>;
    password: string;
    name: string;
  }): Promise<string>;
}

/**
 * Copies of the services' tables, without their constraints, each in a database of its own, and an audit database over them
 * that is made exactly as the platform's. What is planted here disturbs nobody.
 */
export class DatabaseCopies {
  private readonly suffix = randomBytes(4).toString('hex');
  private readonly clients = new Map<Copied, Client>();
  private auditUrl = '';

  private constructor(
    private readonly platform: Platform,
    private readonly infra: Infra,
  ) {}

  static async make(platform: Platform, infra: Infra): Promise<DatabaseCopies> {
    const copies = new DatabaseCopies(platform, infra);
    const databases: Record<string, { auditUrl: string }> = {};
    for (const service of SERVICES) databases[service] = { auditUrl: await copies.copy(service) };
    const own = JSON.parse(readFileSync(join(platform.runDir, 'audit.json'), 'utf8')) as { url: string };
    const { createAuditDatabase } = script<AuditDatabaseModule>('platform/audit-database.mjs');
    // Roles are shared by all databases: the platform's auditor keeps its password.
    const password = decodeURIComponent(new URL(own.url).password);
    copies.auditUrl = await createAuditDatabase({ infra, databases, password, name: copies.nameOf('audit') });
    return copies;
  }

  /** Plants a row; columns that are not named are null. */
  async plant(service: Copied, table: string, row: Readonly<Record<string, unknown>>): Promise<void> {
    const client = this.clients.get(service);
    if (client === undefined) throw new Error(`${service} is not copied`);
    const columns = Object.keys(row);
    await client.query(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`,
      Object.values(row),
    );
  }

  /** What an auditor finds, by the read-only role. */
  async found(auditor: string, graceSeconds: number): Promise<Record<string, unknown>[]> {
    return this.ask(`SELECT * FROM ${auditor}($1)`, [graceSeconds]);
  }

  async ask(sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    return withClient(this.auditUrl, async (client) => {
      const { rows } = await client.query<Record<string, unknown>>(sql, [...values]);
      return rows;
    });
  }

  async drop(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.end()));
    await withClient(this.adminUrl('postgres'), async (admin) => {
      for (const name of ['audit', ...SERVICES])
        await admin.query(`DROP DATABASE IF EXISTS ${this.nameOf(name)} WITH (FORCE)`);
    });
  }

  private nameOf(service: string): string {
    return `copy_${this.suffix}_${service}`;
  }

  private adminUrl(database: string): string {
    const { host, port, user, password } = this.infra.postgres;
    return `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  }

  /** The URL by which the service's own audit role reads the copy. */
  private async copy(service: Copied): Promise<string> {
    const database = this.platform.databases[service];
    if (database === undefined) throw new Error(`the platform has no database of ${service}`);
    const source = new URL(database.auditUrl);
    const name = this.nameOf(service);
    await withClient(this.adminUrl('postgres'), (admin) => admin.query(`CREATE DATABASE ${name}`));
    const client = new Client({ connectionString: this.adminUrl(name) });
    await client.connect();
    this.clients.set(service, client);
    const quoted = (text: string): string => client.escapeLiteral(text);
    await client.query(`
      CREATE EXTENSION postgres_fdw;
      CREATE SERVER source FOREIGN DATA WRAPPER postgres_fdw
        OPTIONS (host ${quoted(source.hostname)}, port ${quoted(source.port)}, dbname ${quoted(source.pathname.slice(1))});
      CREATE USER MAPPING FOR CURRENT_USER SERVER source
        OPTIONS (user ${quoted(source.username)}, password ${quoted(decodeURIComponent(source.password))});
      CREATE SCHEMA source;
      IMPORT FOREIGN SCHEMA public FROM SERVER source INTO source;`);
    const { rows } = await client.query<{ table: string }>(
      `SELECT format('%I', foreign_table_name) AS "table" FROM information_schema.foreign_tables WHERE foreign_table_schema = 'source'`,
    );
    for (const { table } of rows) await client.query(`CREATE TABLE public.${table} AS SELECT * FROM source.${table}`);
    await client.query(`
      DROP SCHEMA source CASCADE; DROP EXTENSION postgres_fdw CASCADE;
      GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${client.escapeIdentifier(source.username)}`);
    source.pathname = `/${name}`;
    return source.href;
  }
}

async function withClient<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString, statement_timeout: 60_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
