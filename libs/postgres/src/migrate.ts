import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';

/** TypeORM migration classes, in order; a class name ends in 13 digits (its creation time in ms). */
export type Migrations = readonly (new () => MigrationInterface)[];

const LOCK = `hashtext('daya-migrate')`;

/** Runs what is missing, each in its own transaction, one migrator at a time (advisory lock). Returns the names that ran. */
export async function migrate(ownerUrl: string, migrations: Migrations): Promise<string[]> {
  const db = await new DataSource({
    type: 'postgres',
    url: ownerUrl,
    migrations: [...migrations],
    applicationName: 'daya-migrate',
  }).initialize();
  const guard = db.createQueryRunner();
  try {
    await guard.query(`SELECT pg_advisory_lock(${LOCK})`);
    const ran = await db.runMigrations({ transaction: 'each' });
    return ran.map((migration) => migration.name);
  } finally {
    await guard.release();
    await db.destroy();
  }
}

/** Throws when the database lacks a migration that this build needs; `node dist/main.js migrate` brings it. */
export async function requireSchema(db: DataSource, migrations: Migrations): Promise<void> {
  const [found]: { exists: boolean }[] = await db.query(
    `SELECT to_regclass('public.migrations') IS NOT NULL AS exists`,
  );
  const rows: { name: string }[] = found?.exists ? await db.query(`SELECT name FROM migrations`) : [];
  const present = new Set(rows.map((row) => row.name));
  const missing = migrations.map(nameOf).filter((name) => !present.has(name));
  if (missing.length > 0)
    throw new Error(`the database schema is older than this build; run migrate (missing: ${missing.join(', ')})`);
}

/** Runs statements one after another: for migrations that combine `REQUESTS_TABLE_SQL`, `enableRls(...)` and their own. */
export async function execute(
  runner: QueryRunner,
  ...statements: readonly (string | readonly string[])[]
): Promise<void> {
  for (const statement of statements.flat()) await runner.query(statement);
}

function nameOf(migration: new () => MigrationInterface): string {
  return new migration().name ?? migration.name;
}
