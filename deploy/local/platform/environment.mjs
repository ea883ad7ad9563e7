// Sets a platform up in a folder: identities, databases, topics, and every service's environment.
import { createRequire } from 'node:module';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, ROOT } from '../lib/command.mjs';
import { reserveFreePorts } from '../infra/index.mjs';
import { SERVICES, TOPICS } from './catalogue.mjs';

const require = createRequire(import.meta.url);
const secret = () => randomBytes(24).toString('hex');

/** Secrets of one run folder: made once, kept, readable by their owner only. */
function secretsIn(runDir) {
  const path = join(runDir, 'secrets.json');
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8'));
  const databases = SERVICES.filter((service) => service.database).map(({ name }) => [
    name,
    { owner: secret(), app: secret(), system: secret(), audit: secret() },
  ]);
  const secrets = {
    databases: Object.fromEntries(databases),
    API_KEY_PEPPER: secret(),
    SECRETS_KEY: randomBytes(32).toString('hex'),
  };
  writeFileSync(path, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
}

async function provision(infra, secrets) {
  const { provisionDatabase } = require('@daya/postgres');
  const { host, port, user, password } = infra.postgres;
  const adminUrl = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/postgres`;
  const made = SERVICES.filter((service) => service.database).map(async ({ name }) => [
    name,
    await provisionDatabase({ adminUrl, service: name, passwords: secrets.databases[name] }),
  ]);
  return Object.fromEntries(await Promise.all(made));
}

async function createTopics(infra, prefix) {
  const { createKafka, ensureTopics } = require('@daya/messaging');
  const kafka = createKafka({ brokers: infra.kafka.brokers, prefix, clientId: 'setup' });
  await ensureTopics(
    kafka,
    TOPICS.map((name) => ({ name, partitions: 4 })),
  );
}

/**
 * @returns {Promise<{ env: Record<string, Record<string, string>>, databases: object, tlsFolder: string }>} per service,
 *   the whole environment of its process
 */
export async function setUp({ runDir, infra, timerScale, extra = {} }) {
  mkdirSync(join(runDir, 'logs'), { recursive: true });
  const tlsFolder = join(runDir, 'identity');
  await require('@daya/pki').createPlatformIdentity(
    tlsFolder,
    SERVICES.map((service) => service.name),
  );
  const secrets = secretsIn(runDir);
  const [databases] = await Promise.all([provision(infra, secrets), createTopics(infra, '')]);
  const ports = await reserveFreePorts(
    SERVICES.flatMap(({ name, ports: more }) => ['GRPC_PORT', 'ADMIN_PORT', ...more].map((port) => `${name}.${port}`)),
  );
  const env = {};
  for (const service of SERVICES) {
    env[service.name] = {
      ...environmentOf(service, { runDir, infra, ports, tlsFolder, timerScale, secrets, databases }),
      ...(extra['*'] ?? {}),
      ...(extra[service.name] ?? {}),
    };
  }
  await Promise.all(
    SERVICES.filter((service) => service.database).map((service) => migrate(service.name, env[service.name])),
  );
  return { env, databases, tlsFolder };
}

function environmentOf(service, { runDir, infra, ports, tlsFolder, timerScale, secrets, databases }) {
  const { name } = service;
  const port = (variable) => String(ports[`${name}.${variable}`]);
  const own = ['GRPC_PORT', 'ADMIN_PORT', ...service.ports].map((variable) => [variable, port(variable)]);
  const peers = service.peers.map((peer) => [`${peer.toUpperCase()}_URL`, `127.0.0.1:${ports[`${peer}.GRPC_PORT`]}`]);
  const urls = databases[name];
  return {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    ...Object.fromEntries([...own, ...peers]),
    BIND_ADDRESS: '127.0.0.1',
    TLS_FOLDER: tlsFolder,
    IDENTITY_KEY_FILE: join(tlsFolder, `${name}.jwk.json`),
    JWKS_FILE: join(tlsFolder, 'jwks.json'),
    TIMER_SCALE: String(timerScale),
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'info',
    ...(urls && { DATABASE_URL: urls.url, DATABASE_SYSTEM_URL: urls.systemUrl, DATABASE_OWNER_URL: urls.ownerUrl }),
    ...(service.kafka && { KAFKA_BROKERS: infra.kafka.brokers.join(',') }),
    ...(service.redis && { REDIS_URL: infra.redis.url, BULLMQ_PREFIX: 'daya' }),
    ...ownVariables(name, { runDir, tlsFolder, secrets, ports }),
  };
}

function ownVariables(name, { runDir, tlsFolder, secrets, ports }) {
  const folder = (part) => {
    mkdirSync(join(runDir, part), { recursive: true });
    return join(runDir, part);
  };
  switch (name) {
    case 'registry':
      return {
        API_KEY_PEPPER: secrets.API_KEY_PEPPER,
        CA_CERTIFICATE_FILE: join(tlsFolder, 'ca.pem'),
        CA_KEY_FILE: join(tlsFolder, 'ca.key.pem'),
        ALLOW_EMULATED_GPUS: 'true',
        CANARY_JOB_FILE: join(runDir, 'canary.json'),
      };
    case 'scheduler':
      return { SECRETS_KEY: secrets.SECRETS_KEY, DISPATCH_QUEUE_COUNT: '8' };
    case 'dispatch':
      return {
        DISPATCH_QUEUE_COUNT: '8',
        STORE_FOLDER: folder('store'),
        AGENT_ADDRESS: `127.0.0.1:${ports['dispatch.AGENT_PORT']}`,
      };
    case 'rewards':
      return {
        PUBLICATION_FOLDER: folder('epochs'),
        REWARD_PARAMETERS_FILE: join(ROOT, 'services/rewards/parameters/demo.json'),
        EPOCH_SECONDS: '10',
        EPOCH_GRACE_SECONDS: '2',
      };
    default:
      return {};
  }
}

const migrate = (name, env) =>
  command(process.execPath, [join(ROOT, 'services', name, 'dist/main.js'), 'migrate'], { env, timeoutMs: 60_000 });
