import { BatchConsumer, toWire, type PartitionEvent } from '@daya/messaging';
import type { EntityManager } from 'typeorm';
import { eventually } from '../src';
import { harness, tallies, tallying, TOPIC, WRITTEN, type Harness } from './harness';

let h: Harness;

beforeEach(async () => {
  h = await harness();
});

afterEach(async () => {
  await h.close();
});

const uuid = (index: number): string => `01900000-0000-7000-8000-${String(index).padStart(12, '0')}`;

async function publish(from: number, to: number): Promise<void> {
  const publisher = h.kafka.connect('test').producer();
  const messages = Array.from({ length: to - from }, (_, index) => {
    const key = `k${(from + index) % 3}`;
    return toWire({
      id: uuid(from + index),
      type: WRITTEN,
      key,
      payload: Buffer.from(`${from + index}`),
      aggregateVersion: undefined,
      time: new Date(),
      source: 'test',
      headers: {},
    });
  });
  await publisher.publish(TOPIC, messages);
  await publisher.stop();
}

const addAll = async (events: readonly PartitionEvent[], em: EntityManager): Promise<void> => {
  for (const event of events) await tallying(event, em);
};

const batchConsumer = (group: string, handle = addAll, clientId = group): BatchConsumer =>
  new BatchConsumer({ kafka: h.kafka.connect(clientId), group, topics: [TOPIC], db: h.sources.system, handle });

const expected = (to: number): string[][] =>
  [0, 1, 2].map((key) =>
    Array.from({ length: to }, (_, index) => index)
      .filter((index) => index % 3 === key)
      .map(String),
  );
const histories = async (): Promise<string[][]> => (await tallies(h)).map((tally) => tally.history);

test('the database decides the position: a rewound group, and one that ran ahead, both go on where the writes ended', async () => {
  const first = batchConsumer('notes.batch');
  await h.start(first);
  await publish(0, 30);
  await eventually(async () => expect(await histories()).toEqual(expected(30)));
  await first.stop();
  await h.kafka.connect().admin().rewind('notes.batch', TOPIC);
  await publish(30, 60);
  const rewound = batchConsumer('notes.batch');
  await h.start(rewound);
  await eventually(async () => expect(await histories()).toEqual(expected(60)), { timeoutMs: 15_000 });
  await rewound.stop();
  // As after a restore of the database: its offset and its state are older than Kafka's idea of the group.
  await h.sources.system.query(`DELETE FROM tally`);
  await h.sources.system.query(`UPDATE consumer_offset SET next_offset = 0 WHERE consumer = 'notes.batch'`);
  await publish(60, 66);
  const restored = batchConsumer('notes.batch');
  await h.start(restored);
  await eventually(async () => expect(await histories()).toEqual(expected(66)), { timeoutMs: 15_000 });
  await restored.stop();
}, 60_000);

test('a zombie that still works on a batch cannot commit it after its successor did', async () => {
  await publish(0, 3);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let zombieAt = 0;
  // Another group name on Kafka, the same name in the database: two consumers that both believe to own every partition.
  const zombie = batchConsumer('notes.zombie', async (events, em) => {
    zombieAt += 1;
    await held;
    await addAll(events, em);
  });
  const successor = new BatchConsumer({
    kafka: prefixed(),
    group: 'notes.zombie',
    topics: [TOPIC],
    db: h.sources.system,
    handle: addAll,
  });
  await h.start(zombie);
  await eventually(() => expect(zombieAt).toBeGreaterThan(0));
  await h.start(successor);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  release();
  await eventually(async () => expect((await histories()).flat().sort()).toEqual(['0', '1', '2']));
  await publish(3, 30);
  await eventually(async () => expect((await histories()).flat()).toHaveLength(30));
  await Promise.all([zombie.stop(), successor.stop()]);
  expect(await histories()).toEqual(expected(30));
}, 40_000);

/** The same topics under another group: only the group's name gets the suffix. */
function prefixed() {
  const kafka = h.kafka.connect('successor');
  const group = kafka.group.bind(kafka);
  return Object.assign(kafka, { group: (name: string) => `${group(name)}.successor` });
}

test('a batch whose handler fails is tried again and leaves no half effects', async () => {
  let failures = 0;
  const consumer = batchConsumer('notes.flaky', async (events, em) => {
    await addAll(events, em);
    if ((failures += 1) <= 3) throw new Error('flaky');
  });
  await h.start(consumer);
  await publish(0, 30);
  await eventually(async () => expect(await histories()).toEqual(expected(30)), { timeoutMs: 15_000 });
  await consumer.stop();
});
