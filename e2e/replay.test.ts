import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createKafka, toWire } from '@daya/messaging';
import { attachInfra, attachPlatform, report, type Infra, type Platform, type ServiceName } from './support/platform';
import { lastingViolations } from './support/auditors';
import {
  freshRegion,
  openDemand,
  openSupply,
  shellJob,
  statementOf,
  submit,
  until,
  untilFinished,
  untilSettled,
  workFor,
  type Party,
  type Supply,
} from './support/market';
import { differences, readState, rowsOf } from './support/kills/business-state';
import { startReplica, withClient, type Replica } from './support/kills/replica';
import { repeatDepositsAndHolds } from './support/kills/spoken-facts';
import { dropTopics, replayTopics, untilQuiet } from './support/kills/topics';

const run = promisify(execFile);
// A replica of metering waits its whole patience for agents whose last word never came.
const REPLAY_MS = 150_000;
const NOWHERE = '127.0.0.1:9';

let platform: Platform;
let infra: Infra;
let customer: Party;
let supply: Supply;
let region: string;
const started: Replica[] = [];

beforeAll(async () => {
  platform = attachPlatform();
  infra = await attachInfra();
  region = freshRegion();
  [customer, supply] = await Promise.all([
    openDemand(platform, '100000000'),
    openSupply(platform, region, [{ gpus: 2 }]),
  ]);
  // Something to remember, whichever test files ran before.
  const jobs = await Promise.all([1, 2].map(() => submit(customer, shellJob(region, workFor(0.1)))));
  for (const jobId of jobs) await untilSettled(customer, jobId);
}, 180_000);

afterAll(async () => {
  await Promise.all(started.map((replica) => replica.remove()));
  await Promise.all((supply?.agents ?? []).map((agent) => agent.stop()));
  for (const { prefix } of started) await dropTopics(infra.kafka.brokers, prefix);
}, 60_000);

const auditUrl = (service: ServiceName): string => {
  const urls = platform.databases[service];
  if (urls === undefined) throw new Error(`${service} has no database`);
  return urls.auditUrl;
};

/** A service with an empty database reads its topics from their start; in the end it must know what the platform's knows. */
async function replay(
  service: ServiceName,
  topics: readonly string[],
  env: Record<string, string> = {},
  before: (replica: Replica) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { brokers } = infra.kafka;
  await untilQuiet(brokers, topics);
  const prefix = `replay-${randomBytes(4).toString('hex')}.`;
  const replica = await startReplica(platform, infra, service, { prefix, env });
  started.push(replica);
  await before(replica);
  const messages = await replayTopics(brokers, topics, prefix);
  const compare = async (): Promise<string[]> =>
    differences(await readState(service, auditUrl(service)), await readState(service, replica.databases.auditUrl));
  await until(compare, (found) => found.length === 0, REPLAY_MS);
  const rows = rowsOf(await readState(service, replica.databases.auditUrl));
  report('replay', `${service}: ${messages} messages of ${topics.join(', ')} give the same ${rows} rows`);
  expect(rows).toBeGreaterThan(0);
  expect(messages).toBeGreaterThan(0);
}

test(
  'metering: leases, keys and ticks from their start give the same windows',
  () => replay('metering', ['daya.scheduler.leases', 'daya.registry.nodes', 'daya.usage.ticks']),
  240_000,
);

test(
  'billing: jobs, leases and usage from their start, and the same deposits and holds, give the same ledger',
  () =>
    replay('billing', ['daya.scheduler.jobs', 'daya.scheduler.leases', 'daya.metering.usage'], {}, (replica) =>
      repeatDepositsAndHolds(platform, replica),
    ),
  240_000,
);

test(
  'rewards: nodes, offers and charges from their start give the same inputs',
  () =>
    replay('rewards', ['daya.registry.nodes', 'daya.registry.offers', 'daya.billing.charges'], {
      PUBLICATION_FOLDER: join(platform.runDir, 'epochs-replayed'),
    }),
  240_000,
);

test(
  'scheduler: nodes and offers from their start give the same market',
  () =>
    replay('scheduler', ['daya.registry.nodes', 'daya.registry.offers'], {
      BULLMQ_PREFIX: 'daya-replayed',
      REGISTRY_URL: NOWHERE,
      BILLING_URL: NOWHERE,
    }),
  240_000,
);

test('registry: its topics from their start once more change nothing', async () => {
  const topics = ['daya.scheduler.jobs', 'daya.scheduler.leases'];
  const group = 'registry.scheduler-events';
  const kafka = createKafka({ brokers: infra.kafka.brokers, prefix: '', clientId: 'e2e' });
  await untilQuiet(infra.kafka.brokers, topics);
  const counters = () =>
    withClient(auditUrl('registry'), async (client) => {
      const rows: string[] = [];
      for (const table of ['node', 'offer', 'provider']) {
        const read = await client.query<{ row: string }>(
          `SELECT row_to_json(t)::text AS row FROM ${table} t ORDER BY 1`,
        );
        rows.push(...read.rows.map(({ row }) => `${table} ${row}`));
      }
      return rows;
    });
  const heard = () =>
    withClient(auditUrl('registry'), async (client) => {
      const { rows } = await client.query<{ count: string }>('SELECT count(*) FROM inbox WHERE consumer = $1', [group]);
      return Number(rows[0]?.count);
    });
  const [before, heardBefore] = [await counters(), await heard()];
  await platform.services.registry.stop();
  for (const topic of topics) await kafka.admin().rewind(group, topic);
  await platform.services.registry.start();
  const lag = `consumer="${group}"`;
  const metrics = `http://127.0.0.1:${platform.env['registry']?.['ADMIN_PORT']}/metrics`;
  const duplicates = async (): Promise<number> => {
    const text = await (await fetch(metrics)).text();
    const lines = text.split('\n').filter((line) => line.includes(lag) && line.includes('outcome="duplicate"'));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  await until(duplicates, (count) => count >= heardBefore, REPLAY_MS);
  expect(heardBefore).toBeGreaterThan(0);
  expect(before.length).toBeGreaterThan(0);
  expect(await heard()).toBe(heardBefore);
  expect(await counters()).toEqual(before);
}, 180_000);

test('a poison message is parked after its tries while its partition moves on; the replay tool re-drives it', async () => {
  const owner = platform.databases['billing']?.ownerUrl ?? '';
  const kafka = createKafka({ brokers: infra.kafka.brokers, prefix: '', clientId: 'e2e' });
  const topic = 'daya.metering.usage';
  const dead = async (): Promise<bigint> =>
    (await kafka.admin().ranges(`${topic}.dead`)).reduce((sum, { high }) => sum + high, 0n);
  const deadBefore = await dead();
  // A defect of billing that hits this customer's usage only.
  await withClient(owner, (client) =>
    client.query(`CREATE FUNCTION e2e_defect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT 1 FROM billed_lease l WHERE l.lease_id = NEW.lease_id AND l.payer_id = '${customer.id}') THEN
          RAISE EXCEPTION 'a defect of this test'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER e2e_defect BEFORE INSERT ON usage_window FOR EACH ROW EXECUTE FUNCTION e2e_defect()`),
  );
  const jobId = await submit(customer, shellJob(region, workFor(0.1)));
  let poison: { event_id: string; key: string; attempts: number; reason: string };
  try {
    await untilFinished(customer, jobId);
    poison = await untilParked(jobId);
    expect(poison).toMatchObject({ attempts: 5, reason: 'HANDLER_FAILED' });
    // The next message of the same partition (the same key) is handled although the poison lies there.
    const next = randomUUID();
    const producer = kafka.producer();
    await producer.publish(topic, [
      toWire({
        id: next,
        type: 'daya.e2e.v1.Nothing',
        key: poison.key,
        payload: new Uint8Array(),
        aggregateVersion: undefined,
        time: new Date(),
        source: 'e2e',
        headers: {},
      }),
    ]);
    await producer.stop();
    await until(
      () => inInbox(next),
      (found) => found,
      30_000,
    );
    expect((await statementOf(customer, jobId)).settled ?? false).toBe(false);
    await until(dead, (count) => count > deadBefore, 30_000);
  } finally {
    await withClient(owner, (client) =>
      client.query('DROP TRIGGER e2e_defect ON usage_window; DROP FUNCTION e2e_defect()'),
    );
  }
  const tool = join(__dirname, '../libs/messaging/dist/replay/main.js');
  const env = { ...process.env, DATABASE_SYSTEM_URL: platform.databases['billing']?.systemUrl };
  const { stdout } = await run(process.execPath, [tool, '--consumer', 'billing.market'], { env, timeout: 60_000 });
  expect(JSON.parse(stdout)).toEqual({ requested: 1, resolved: 1, left: 0 });
  await untilSettled(customer, jobId);
  expect(await lastingViolations(platform)).toEqual([]);
}, 240_000);

const untilParked = (jobId: string) =>
  until(
    () =>
      withClient(auditUrl('billing'), async (client) => {
        const { rows } = await client.query<{ event_id: string; key: string; attempts: number; reason: string }>(
          `SELECT p.event_id, p.key, p.attempts, p.reason FROM parked p JOIN billed_lease l ON l.lease_id::text = p.key
           WHERE l.job_id = $1 AND p.kind = 'POISON' AND p.resolve_time IS NULL`,
          [jobId],
        );
        return rows[0];
      }),
    (row) => row !== undefined,
    60_000,
  ).then((row) => {
    if (row === undefined) throw new Error('nothing was parked');
    return row;
  });

const inInbox = (eventId: string): Promise<boolean> =>
  withClient(auditUrl('billing'), async (client) => {
    const { rowCount } = await client.query(`SELECT 1 FROM inbox WHERE consumer = 'billing.market' AND event_id = $1`, [
      eventId,
    ]);
    return rowCount === 1;
  });
