import { ensureTopics, OutboxRelay, purgeMessages, replayDeadLetters } from '@daya/messaging';
import { eventually } from '../src';
import { consumerOf, harness, tallies, tallying, TOPIC, write, type Harness } from './harness';

let h: Harness;
let relay: OutboxRelay;

beforeEach(async () => {
  h = await harness();
  relay = new OutboxRelay({ db: h.sources.system, kafka: h.kafka.connect('notes') });
  await h.start(relay);
});

afterEach(async () => {
  await relay.stop();
  await h.close();
});

const counts = async (): Promise<unknown> => {
  const [row]: unknown[] = await h.sources.system.query(
    `SELECT (SELECT count(*)::int FROM outbox) AS outbox, (SELECT count(*)::int FROM inbox) AS inbox`,
  );
  return row;
};

test('the purge takes what is old and published, in bounded rounds, and a replay afterwards still does nothing twice', async () => {
  const consumer = consumerOf(h, 'notes.purge', tallying);
  await h.start(consumer);
  for (let index = 0; index < 12; index += 1) await write(h.sources, `k${index % 2}`, `${index}`);
  await eventually(async () => expect((await tallies(h)).map((tally) => tally.count)).toEqual(['6', '6']));
  await consumer.stop();
  await relay.stop();
  await write(h.sources, 'k0', 'unpublished');
  await h.sources.system.query(
    `UPDATE outbox SET create_time = now() - interval '90 days', publish_time = publish_time - interval '90 days'`,
  );
  await h.sources.system.query(
    `UPDATE inbox SET process_time = now() - interval '90 days' WHERE aggregate_version > 1`,
  );
  expect(await purgeMessages(h.sources.system, { rowsMax: 5 })).toEqual({ outbox: 5, inbox: 5, parked: 0 });
  expect(await purgeMessages(h.sources.system)).toEqual({ outbox: 7, inbox: 5, parked: 0 });
  expect(await counts()).toEqual({ outbox: 1, inbox: 2 });
  await expect(purgeMessages(h.sources.system, { inboxRetentionMs: 86_400_000 })).rejects.toThrow('outlive');

  await h.kafka.connect().admin().rewind('notes.purge', TOPIC);
  const again = consumerOf(h, 'notes.purge', tallying);
  await h.start(again);
  const successor = new OutboxRelay({ db: h.sources.system, kafka: h.kafka.connect('notes') });
  await h.start(successor);
  await eventually(async () =>
    expect((await tallies(h)).map((tally) => tally.history)).toEqual([
      ['0', '2', '4', '6', '8', '10', 'unpublished'],
      ['1', '3', '5', '7', '9', '11'],
    ]),
  );
  await again.stop();
  await successor.stop();
}, 40_000);

test('two members of a group share the work; one that disappears is replaced, and parked events are brought back once', async () => {
  let poisoned = true;
  const handler: typeof tallying = async (event, em) => {
    if (poisoned && Buffer.from(event.payload).toString() === 'poison') throw new Error('poison');
    await tallying(event, em);
  };
  const members = [0, 1].map(() => consumerOf(h, 'notes.group', handler));
  await h.start(...members);
  const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
  const writeAll = (text: string): Promise<unknown> => Promise.all(keys.map((key) => write(h.sources, key, text)));
  await writeAll('a');
  await writeAll('poison');
  await members[0]?.stop();
  await writeAll('c');
  await eventually(async () => expect((await h.sources.system.query(`SELECT 1 FROM parked`)).length).toBe(16), {
    timeoutMs: 20_000,
  });
  const third = consumerOf(h, 'notes.group', handler);
  await h.start(third);
  poisoned = false;
  expect(await replayDeadLetters({ db: h.sources.system })).toEqual({ requested: 8, resolved: 8, left: 0 });
  await eventually(
    async () => expect((await tallies(h)).map((tally) => tally.history)).toEqual(keys.map(() => ['a', 'poison', 'c'])),
    { timeoutMs: 20_000 },
  );
  await Promise.all([members[1]?.stop(), third.stop()]);
}, 60_000);

test('a topic that nobody made is made by the relay, and making one twice is no error', async () => {
  await ensureTopics(h.kafka.connect(), [{ name: TOPIC }, { name: 'daya.other', partitions: 2 }]);
  await ensureTopics(h.kafka.connect(), [{ name: 'daya.other', partitions: 3 }]);
  const ranges = await h.kafka.connect().admin().ranges('daya.other');
  expect(ranges.map(({ partition, low, high }) => [partition, low, high]).sort()).toEqual([
    [0, 0n, 0n],
    [1, 0n, 0n],
  ]);
  await h.sources.system.query(
    `INSERT INTO outbox (event_id, topic, key, type, payload) VALUES (gen_random_uuid(), 'daya.unheard', 'k', 't', '')`,
  );
  await eventually(async () => {
    const rows: unknown[] = await h.sources.system.query(`SELECT 1 FROM outbox WHERE publish_time IS NULL`);
    expect(rows).toEqual([]);
  });
});
