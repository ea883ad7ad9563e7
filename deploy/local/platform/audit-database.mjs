// The database `audit`: foreign tables onto the services' databases by their read-only roles, and the auditors that join them.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/command.mjs';

const require = createRequire(import.meta.url);
const SERVICES = ['registry', 'scheduler', 'metering', 'billing'];
const literal = (text) => `'${text.replaceAll("'", "''")}'`;

/** Makes it anew; returns the URL of its read-only role. Tests make one more, beside the platform's, under another name. */
export async function createAuditDatabase({ infra, databases, password, name = 'audit' }) {
  const { Client } = require('pg');
  const { host, port, user, password: adminPassword } = infra.postgres;
  const urlOf = (role, secret, database) =>
    `postgres://${role}:${encodeURIComponent(secret)}@${host}:${port}/${database}`;
  await withClient(Client, urlOf(user, adminPassword, 'postgres'), async (admin) => {
    await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await admin.query(`DO $$ BEGIN CREATE ROLE auditor LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
    await admin.query(`ALTER ROLE auditor PASSWORD ${literal(password)}`);
    await admin.query(`ALTER ROLE auditor SET default_transaction_read_only = on`);
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC; GRANT CONNECT ON DATABASE ${name} TO auditor`);
  });
  await withClient(Client, urlOf(user, adminPassword, name), async (admin) => {
    await admin.query('CREATE EXTENSION postgres_fdw');
    for (const service of SERVICES)
      await admin.query(foreignTables(service, new URL(databases[service].auditUrl), host, port, user));
    await admin.query(readFileSync(join(ROOT, 'deploy/audit/cross-service.sql'), 'utf8'));
    await admin.query(
      'GRANT USAGE ON SCHEMA public TO auditor; GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor',
    );
    for (const service of SERVICES)
      await admin.query(
        `GRANT USAGE ON SCHEMA ${service} TO auditor; GRANT SELECT ON ALL TABLES IN SCHEMA ${service} TO auditor`,
      );
  });
  return urlOf('auditor', password, name);
}

function foreignTables(service, url, host, port, admin) {
  const login = `OPTIONS (user ${literal(url.username)}, password ${literal(decodeURIComponent(url.password))})`;
  return `
    CREATE SERVER ${service} FOREIGN DATA WRAPPER postgres_fdw
      OPTIONS (host ${literal(host)}, port ${literal(String(port))}, dbname ${literal(url.pathname.slice(1))}, updatable 'false');
    CREATE USER MAPPING FOR auditor SERVER ${service} ${login};
    CREATE USER MAPPING FOR ${admin} SERVER ${service} ${login};
    CREATE SCHEMA ${service};
    IMPORT FOREIGN SCHEMA public FROM SERVER ${service} INTO ${service};`;
}

async function withClient(Client, connectionString, work) {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
