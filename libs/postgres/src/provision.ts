import { Client } from 'pg';
import { identifier } from './row-level-security';

const LOCK = `hashtext('daya-provision')`;

export interface ProvisionOptions {
  /** A superuser's URL (creating a role with BYPASSRLS needs one); its database part is ignored. */
  readonly adminUrl: string;
  readonly service: string;
  readonly passwords: { readonly owner: string; readonly app: string; readonly system: string; readonly audit: string };
  /** The database's name; the service's when absent. */
  readonly database?: string;
  /** An existing database to clone (tests). */
  readonly template?: string;
}

export interface DatabaseUrls {
  readonly url: string;
  readonly systemUrl: string;
  readonly ownerUrl: string;
  readonly auditUrl: string;
}

/**
 * Makes, or brings up to date, a service's four roles and its database, which nobody else can connect to. Safe to repeat
 * and to race. Roles: `<service>_owner` migrates, `<service>` runs under the policies, `<service>_system` bypasses them,
 * `<service>_audit` bypasses them and only reads.
 */
export async function provisionDatabase(options: ProvisionOptions): Promise<DatabaseUrls> {
  const service = identifier(options.service);
  const database = identifier(options.database ?? service);
  await withClient(urlFor(options.adminUrl, 'postgres'), async (admin) => {
    // Held until the connection closes: roles belong to the whole server, and two writers of one role collide.
    await admin.query(`SELECT pg_advisory_lock(${LOCK})`);
    await upsertRoles(admin, options);
    await createDatabase(admin, service, database, options.template);
  });
  await withClient(urlFor(options.adminUrl, database), (admin) => grantDefaults(admin, service));
  const as = (role: string, password: string): string => urlFor(options.adminUrl, database, role, password);
  return {
    url: as(service, options.passwords.app),
    systemUrl: as(`${service}_system`, options.passwords.system),
    ownerUrl: as(`${service}_owner`, options.passwords.owner),
    auditUrl: as(`${service}_audit`, options.passwords.audit),
  };
}

async function upsertRoles(admin: Client, { service, passwords }: ProvisionOptions): Promise<void> {
  const roles: [string, string, string][] = [
    [`${service}_owner`, 'NOBYPASSRLS', passwords.owner],
    [service, 'NOBYPASSRLS', passwords.app],
    [`${service}_system`, 'BYPASSRLS', passwords.system],
    [`${service}_audit`, 'BYPASSRLS', passwords.audit],
  ];
  for (const [role, bypass, password] of roles) {
    const { rowCount } = await admin.query(`SELECT 1 FROM pg_roles WHERE rolname = $1`, [role]);
    const verb = rowCount === 0 ? 'CREATE' : 'ALTER';
    await admin.query(
      `${verb} ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE ${bypass} PASSWORD ${admin.escapeLiteral(password)}`,
    );
  }
  await admin.query(`ALTER ROLE ${service}_audit SET default_transaction_read_only = on`);
}

async function createDatabase(admin: Client, service: string, database: string, template?: string): Promise<void> {
  const { rowCount } = await admin.query(`SELECT 1 FROM pg_database WHERE datname = $1`, [database]);
  if (rowCount === 0) {
    const from = template === undefined ? 'template0' : identifier(template);
    await admin.query(`CREATE DATABASE ${database} OWNER ${service}_owner TEMPLATE ${from}`);
  }
  await admin.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  await admin.query(`GRANT CONNECT ON DATABASE ${database} TO ${service}, ${service}_system, ${service}_audit`);
}

async function grantDefaults(admin: Client, service: string): Promise<void> {
  const owner = `${service}_owner`;
  const writers = `${service}, ${service}_system`;
  const byDefault = `ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public GRANT`;
  await admin.query(`BEGIN; SELECT pg_advisory_xact_lock(${LOCK});
    ALTER SCHEMA public OWNER TO ${owner}; REVOKE ALL ON SCHEMA public FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO ${writers}, ${service}_audit;
    ${byDefault} SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${writers};
    ${byDefault} USAGE, SELECT ON SEQUENCES TO ${writers};
    ${byDefault} SELECT ON TABLES TO ${service}_audit; COMMIT`);
}

/** The admin's URL with another database, and another role when given. */
export function urlFor(adminUrl: string, database: string, role?: string, password?: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  if (role !== undefined) url.username = role;
  if (password !== undefined) url.password = encodeURIComponent(password);
  return url.toString();
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    application_name: 'daya-provision',
  });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
