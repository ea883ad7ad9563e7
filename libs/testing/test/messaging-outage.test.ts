import { createKafka, EventConsumer, OutboxRelay, type Kafka } from '@daya/messaging';
import { createDataSources } from '@daya/postgres';
import { pino } from 'pino';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, tcpProxy, testStack, type TcpProxy } from '../src';
import { harness, tallies, tallying, TOPIC, WRITTEN, write, type Harness } from './harness';

const SILENT = pino({ level: 'silent' });
const KEYS = ['a', 'b', 'c'];

let h: Harness;

beforeEach(async () => {
  h = await harness();
});

afterEach(async () => {
  await h.close();
});

/** Writes until told to stop; returns how many of each key were committed. */
function writing(): { stop: () => Promise<Record<string, number>> } {
  const counts: Record<string, number> = {};
  let going = true;
  const loops = KEYS.map(async (key) => {
    for (let index = 0; going; index += 1) {
      await write(h.sources, key, `${key}${index}`);
      counts[key] = index + 1;
      await sleep(15);
    }
  });
  return {
    stop: async () => {
      going = false;
      await Promise.all(loops);
      return counts;
    },
  };
}

async function expectAllOnceInOrder(counts: Record<string, number>): Promise<void> {
  const expected = KEYS.map((key) => Array.from({ length: counts[key] ?? 0 }, (_, index) => `${key}${index}`));
  await eventually(async () => expect((await tallies(h)).map((tally) => tally.history)).toEqual(expected), {
    timeoutMs: 40_000,
    everyMs: 200,
  });
}

const kafkaThrough = (proxy: TcpProxy, clientId: string): Kafka =>
  createKafka({
    brokers: proxy.address,
    prefix: h.kafka.prefix,
    clientId,
    logger: SILENT,
    dial: () => ({ host: '127.0.0.1', port: proxy.port }),
  });

async function brokerProxy(): Promise<TcpProxy> {
  const [host = '', port = ''] = testStack().kafka.brokers.split(':');
  return tcpProxy({ host, port: Number(port) });
}

test.each(['cut', 'stall'] as const)(
  'while the broker is away (%s) events are kept; afterwards each has its effect once, in order',
  async (fault) => {
    const proxy = await brokerProxy();
    const relay = new OutboxRelay({ db: h.sources.system, kafka: kafkaThrough(proxy, 'notes') });
    const consumer = new EventConsumer({
      kafka: kafkaThrough(proxy, 'reader'),
      group: 'notes.outage',
      topics: [TOPIC],
      db: h.sources.system,
      handlers: { [WRITTEN]: tallying },
    });
    await h.start(relay, consumer);
    const load = writing();
    await eventually(async () => expect((await tallies(h)).length).toBe(3));
    proxy[fault]();
    await sleep(5_000);
    proxy.heal();
    await sleep(500);
    await expectAllOnceInOrder(await load.stop());
    await Promise.all([relay.stop(), consumer.stop()]);
    await proxy.close();
  },
  90_000,
);

test('while the database is away from relay and consumer nothing is parked or lost, and both go on by themselves', async () => {
  const { postgres } = testStack();
  const proxy = await tcpProxy(postgres);
  const through = (url: string): string => url.replace(`:${postgres.port}/`, `:${proxy.port}/`);
  const far = await createDataSources({
    url: through(h.database.url),
    systemUrl: through(h.database.systemUrl),
    applicationName: 'far',
  }).open();
  const kafka = (clientId: string): Kafka => createKafka({ ...h.kafka, clientId, logger: SILENT });
  const relay = new OutboxRelay({ db: far.system, kafka: kafka('notes') });
  const consumer = new EventConsumer({
    kafka: kafka('reader'),
    group: 'notes.outage',
    topics: [TOPIC],
    db: far.system,
    handlers: { [WRITTEN]: tallying },
  });
  await h.start(relay, consumer);
  const load = writing();
  await eventually(async () => expect((await tallies(h)).length).toBe(3));
  for (let round = 0; round < 3; round += 1) {
    proxy.cut();
    await sleep(1_000);
    proxy.heal();
    await sleep(1_000);
  }
  await expectAllOnceInOrder(await load.stop());
  expect(await h.sources.system.query(`SELECT 1 FROM parked`)).toEqual([]);
  await Promise.all([relay.stop(), consumer.stop()]);
  await far.close();
  await proxy.close();
}, 60_000);

test('a consumer that starts before its broker begins when the broker comes', async () => {
  const proxy = await brokerProxy();
  proxy.cut();
  const consumer = new EventConsumer({
    kafka: kafkaThrough(proxy, 'early'),
    group: 'notes.early',
    topics: [TOPIC],
    db: h.sources.system,
    handlers: { [WRITTEN]: tallying },
  });
  const relay = new OutboxRelay({ db: h.sources.system, kafka: kafkaThrough(proxy, 'notes') });
  await h.start(relay, consumer);
  await write(h.sources, 'a', 'a0');
  await sleep(1_500);
  expect(await tallies(h)).toEqual([]);
  proxy.heal();
  await eventually(async () => expect((await tallies(h)).map((tally) => tally.history)).toEqual([['a0']]), {
    timeoutMs: 30_000,
  });
  await Promise.all([relay.stop(), consumer.stop()]);
  await proxy.close();
}, 60_000);
