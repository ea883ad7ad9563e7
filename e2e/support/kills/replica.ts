import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { provisionDatabase } from '@daya/postgres';
import { freePort } from '@daya/testing';
import { Client } from 'pg';
import { script, type DatabaseUrls, type Infra, type Managed, type Platform, type ServiceName } from '../platform';

const run = promisify(execFile);
const MIGRATE_MS = 120_000;

interface Secrets {
  readonly databases: Readonly<
    Record<string, { readonly owner: string; readonly app: string; readonly system: string; readonly audit: string }>
  >;
}

/** A second life of a service: its own build and settings, but an empty database and topics of its own. */
export interface Replica {
  readonly service: ServiceName;
  readonly prefix: string;
  readonly databases: DatabaseUrls;
  readonly grpcUrl: string;
  /** Ends the process and drops the database. */
  remove(): Promise<void>;
}

/** Starts one beside the platform's; nothing that it sends reaches a topic or a queue of the platform. */
export async function startReplica(
  platform: Platform,
  infra: Infra,
  service: ServiceName,
  { prefix, env = {}, seed }: { prefix: string; env?: Record<string, string>; seed?: (db: Client) => Promise<void> },
): Promise<Replica> {
  const { ServiceProcess } = script<{ ServiceProcess: new (options: object) => Managed }>(
    'platform/service-process.mjs',
  );
  const database = `${service}_replayed`;
  const { host, port, user, password } = infra.postgres;
  const adminUrl = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/postgres`;
  const secrets = JSON.parse(readFileSync(join(platform.runDir, 'secrets.json'), 'utf8')) as Secrets;
  const passwords = secrets.databases[service];
  if (passwords === undefined) throw new Error(`${service} has no database`);
  await dropDatabase(adminUrl, database);
  const databases = await provisionDatabase({ adminUrl, service, passwords, database });
  const grpcPort = await freePort();
  const whole = {
    ...platform.env[service],
    GRPC_PORT: String(grpcPort),
    ADMIN_PORT: String(await freePort()),
    DATABASE_URL: databases.url,
    DATABASE_SYSTEM_URL: databases.systemUrl,
    DATABASE_OWNER_URL: databases.ownerUrl,
    KAFKA_PREFIX: prefix,
    ...env,
  };
  const main = join(__dirname, '../../../services', service, 'dist/main.js');
  await run(process.execPath, [main, 'migrate'], { env: whole, timeout: MIGRATE_MS });
  if (seed !== undefined) await withClient(databases.ownerUrl, seed);
  const logFile = join(platform.runDir, 'logs', `${service}-replayed.log`);
  const managed = new ServiceProcess({ name: service, env: whole, logFile });
  await managed.start();
  const remove = async (): Promise<void> => {
    await managed.stop();
    await dropDatabase(adminUrl, database);
  };
  return { service, prefix, databases, grpcUrl: `127.0.0.1:${grpcPort}`, remove };
}

const dropDatabase = (adminUrl: string, database: string): Promise<unknown> =>
  withClient(adminUrl, (admin) => admin.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`));

export async function withClient<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString, statement_timeout: 30_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
