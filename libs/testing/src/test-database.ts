import { createHash, randomBytes } from 'node:crypto';
import { migrate, provisionDatabase, urlFor, type DatabaseUrls, type Migrations } from '@daya/postgres';
import { Client } from 'pg';
import type { QueryRunner } from 'typeorm';
import { adminUrl, testStack } from './stack';

const PASSWORDS = { owner: 'test-owner', app: 'test-app', system: 'test-system', audit: 'test-audit' };

export interface TestDatabase extends DatabaseUrls {
  readonly name: string;
  /** The superuser's URL of this database, for what only tests do. */
  readonly superUrl: string;
  /** The environment of a service on this database. */
  readonly env: {
    readonly DATABASE_URL: string;
    readonly DATABASE_SYSTEM_URL: string;
    readonly DATABASE_OWNER_URL: string;
  };
  drop(): Promise<void>;
}

/**
 * A fresh database of the service, with its four roles: cloned from a template that is migrated once per content of the
 * migrations. One per test file; `drop` it at the end.
 */
export async function testDatabase(service: string, migrations: Migrations): Promise<TestDatabase> {
  const admin = adminUrl(testStack());
  const template = await migratedTemplate(admin, service, migrations);
  const name = `t_${service}_${randomBytes(6).toString('hex')}`;
  const urls = await provisionDatabase({ adminUrl: admin, service, passwords: PASSWORDS, database: name, template });
  return {
    ...urls,
    name,
    superUrl: urlFor(admin, name),
    env: { DATABASE_URL: urls.url, DATABASE_SYSTEM_URL: urls.systemUrl, DATABASE_OWNER_URL: urls.ownerUrl },
    drop: () =>
      withAdmin(admin, (client) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)).then(() => undefined),
  };
}

async function migratedTemplate(admin: string, service: string, migrations: Migrations): Promise<string> {
  const name = `template_${service}_${await contentHash(migrations)}`;
  await withAdmin(admin, async (client) => {
    // Held until this connection closes: the first test file makes the template, the others wait for it.
    await client.query(`SELECT pg_advisory_lock(hashtext($1))`, [name]);
    const { rowCount } = await client.query(`SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate`, [name]);
    if (rowCount === 1) return;
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    const { ownerUrl } = await provisionDatabase({ adminUrl: admin, service, passwords: PASSWORDS, database: name });
    await migrate(ownerUrl, migrations);
    await client.query(`ALTER DATABASE ${name} IS_TEMPLATE true`);
  });
  return name;
}

/** Names and statements of the migrations, so that a changed constant of a library makes a new template too. */
async function contentHash(migrations: Migrations): Promise<string> {
  const hash = createHash('sha256');
  for (const Migration of migrations) {
    hash.update(Migration.name).update(Migration.toString());
    const recorder = {
      query: (sql: string) => {
        hash.update(sql);
        return Promise.resolve([]);
      },
    } as unknown as QueryRunner;
    // A data migration may need real rows; its source, hashed above, must do then.
    await new Migration().up(recorder).catch(() => undefined);
  }
  return hash.digest('hex').slice(0, 16);
}

async function withAdmin<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'daya-testing' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
