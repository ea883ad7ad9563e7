import { DomainError } from '@daya/kernel';
import { listParked, OutboxRelay, replayDeadLetters, toWire, type EventHandler } from '@daya/messaging';
import { eventually } from '../src';
import { consumerOf, harness, tallies, tallying, tap, textOf, TOPIC, WRITTEN, write, type Harness } from './harness';

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

const message = (id: string, key: string, version: bigint | undefined, text: string) =>
  toWire({
    id,
    type: WRITTEN,
    key,
    payload: Buffer.from(text),
    aggregateVersion: version,
    time: new Date(),
    source: 'test',
    headers: {},
  });
const uuid = (index: number): string => `01900000-0000-7000-8000-${String(index).padStart(12, '0')}`;
const historyOf = async (key: string): Promise<string[] | undefined> =>
  (await tallies(h)).find((tally) => tally.name === key)?.history;

async function publish(...messages: ReturnType<typeof message>[]): Promise<void> {
  const publisher = h.kafka.connect('test').producer();
  await publisher.publish(TOPIC, messages);
  await publisher.stop();
}

test('duplicates have one effect, types without a handler pass, and foreign messages do not stop the partition', async () => {
  const consumer = consumerOf(h, 'notes.duplicates', tallying);
  await h.start(consumer);
  await publish(message(uuid(1), 'k', 1n, 'one'), message(uuid(1), 'k', 1n, 'one'), message(uuid(2), 'k', 2n, 'two'));
  await publish({ key: 'k', value: Buffer.from('not an event'), headers: {} });
  await publish({
    ...message(uuid(3), 'k', 3n, 'three'),
    headers: { ...message(uuid(3), 'k', 3n, '').headers, ce_type: 'daya.notes.v1.Unknown' },
  });
  await publish(message(uuid(1), 'k', 1n, 'one'), message(uuid(4), 'k', 4n, 'four'));
  await eventually(async () => expect(await historyOf('k')).toEqual(['one', 'two', 'four']));
  await consumer.stop();
});

test('a consumer that is rewound to the start changes nothing, and a fresh one reaches the same state', async () => {
  const consumer = consumerOf(h, 'notes.first', tallying);
  await h.start(consumer);
  for (const key of ['a', 'b', 'c'])
    for (let index = 0; index < 10; index += 1) await write(h.sources, key, `${key}${index}`);
  await eventually(async () => expect((await tallies(h)).map((tally) => tally.count)).toEqual(['10', '10', '10']));
  await consumer.stop();
  const before = await tallies(h);

  await h.kafka.connect().admin().rewind('notes.first', TOPIC);
  const again = consumerOf(h, 'notes.first', tallying);
  await h.start(again);
  await write(h.sources, 'd', 'last');
  await eventually(async () => expect(await historyOf('d')).toEqual(['last']));
  await again.stop();
  expect((await tallies(h)).filter((tally) => tally.name !== 'd')).toEqual(before);

  const prefixed: EventHandler = (event, em) => tallying({ ...event, key: `fresh-${event.key}` }, em);
  const fresh = consumerOf(h, 'notes.fresh', prefixed);
  await h.start(fresh);
  await eventually(async () =>
    expect((await tallies(h)).filter((tally) => tally.name.startsWith('fresh-'))).toHaveLength(4),
  );
  await eventually(async () => {
    const all = await tallies(h);
    const replayed = all
      .filter((tally) => tally.name.startsWith('fresh-'))
      .map((tally) => ({ ...tally, name: tally.name.slice(6) }));
    expect(replayed).toEqual(all.filter((tally) => !tally.name.startsWith('fresh-')));
  });
  await fresh.stop();
}, 40_000);

test('a later version waits parked until the missing one comes, and then follows in order', async () => {
  const consumer = consumerOf(h, 'notes.gaps', tallying);
  await h.start(consumer);
  await publish(
    message(uuid(1), 'k', 1n, 'one'),
    message(uuid(3), 'k', 3n, 'three'),
    message(uuid(4), 'k', 4n, 'four'),
    message(uuid(9), 'other', 1n, 'other'),
  );
  await eventually(async () => expect(await historyOf('other')).toEqual(['other']));
  // The other key may be in another partition, which says nothing about how far this one is.
  await eventually(async () =>
    expect((await listParked(h.sources.system)).map(({ kind, eventId }) => [kind, eventId])).toEqual([
      ['GAP', uuid(3)],
      ['GAP', uuid(4)],
    ]),
  );
  expect(await historyOf('k')).toEqual(['one']);
  await publish(message(uuid(2), 'k', 2n, 'two'));
  await eventually(async () => expect(await historyOf('k')).toEqual(['one', 'two', 'three', 'four']));
  await publish(message(uuid(5), 'k', 5n, 'five'));
  await eventually(async () => expect(await historyOf('k')).toEqual(['one', 'two', 'three', 'four', 'five']));
  expect(await listParked(h.sources.system)).toEqual([]);
  await consumer.stop();
});

test('when the missing version never comes, the owner is asked, and what it covers is not done twice', async () => {
  const asked: unknown[] = [];
  const consumer = consumerOf(h, 'notes.owner', tallying, {
    gapPatienceMs: 500,
    onGap: (aggregate) => {
      asked.push(aggregate);
      return Promise.resolve({
        version: 3n,
        apply: (em) => tallying({ ...base, key: 'k', payload: Buffer.from('state of 3') }, em),
      });
    },
  });
  const base = {
    id: '',
    type: WRITTEN,
    topic: TOPIC,
    aggregateVersion: undefined,
    time: new Date(),
    source: '',
    traceparent: undefined,
  };
  await h.start(consumer);
  await publish(
    message(uuid(1), 'k', 1n, 'one'),
    message(uuid(3), 'k', 3n, 'three'),
    message(uuid(4), 'k', 4n, 'four'),
  );
  await eventually(async () => expect(await historyOf('k')).toEqual(['one', 'state of 3', 'four']));
  expect(asked).toEqual([{ topic: TOPIC, key: 'k', version: 1n }]);
  await publish(message(uuid(2), 'k', 2n, 'two, late'), message(uuid(5), 'k', 5n, 'five'));
  await eventually(async () => expect(await historyOf('k')).toEqual(['one', 'state of 3', 'four', 'five']));
  expect(await listParked(h.sources.system)).toEqual([]);
  await consumer.stop();
});

test('poison is parked while the partition moves on; the replay tool brings it back, and what waited behind it', async () => {
  let cured = false;
  let tries = 0;
  const consumer = consumerOf(h, 'notes.poison', async (event, em) => {
    if (textOf(event) === 'bad-2' && !cured) {
      tries += 1;
      throw new Error('cannot digest');
    }
    await tallying(event, em);
  });
  const dead = tap(h, `${TOPIC}.dead`);
  await h.start(consumer, dead.consumer);
  const ids: string[] = [];
  for (let index = 1; index <= 4; index += 1) ids.push(await write(h.sources, 'bad', `bad-${index}`));
  for (let index = 1; index <= 3; index += 1) await write(h.sources, 'good', `good-${index}`);
  await eventually(async () => expect(await historyOf('good')).toEqual(['good-1', 'good-2', 'good-3']));
  await eventually(async () => expect(await listParked(h.sources.system)).toHaveLength(3));
  expect(await historyOf('bad')).toEqual(['bad-1']);
  expect(tries).toBe(5);
  await eventually(() => expect(dead.events.map(textOf)).toEqual(['bad-2']));
  expect(dead.events[0]?.key).toBe('bad');
  const [parked] = await listParked(h.sources.system, { eventIds: [ids[1] ?? ''] });
  expect(parked).toMatchObject({
    kind: 'POISON',
    attempts: 5,
    reason: 'HANDLER_FAILED',
    error: 'Error: cannot digest',
  });

  expect(await replayDeadLetters({ db: h.sources.system })).toEqual({ requested: 1, resolved: 0, left: 1 });
  cured = true;
  expect(await replayDeadLetters({ db: h.sources.system, consumer: 'notes.poison', topic: TOPIC })).toEqual({
    requested: 1,
    resolved: 1,
    left: 0,
  });
  await eventually(async () => expect(await historyOf('bad')).toEqual(['bad-1', 'bad-2', 'bad-3', 'bad-4']));
  await write(h.sources, 'bad', 'bad-5');
  await eventually(async () => expect(await historyOf('bad')).toEqual(['bad-1', 'bad-2', 'bad-3', 'bad-4', 'bad-5']));
  await Promise.all([consumer.stop(), dead.consumer.stop()]);
});

test('a refusal that cannot change is parked at the first try, passing trouble is waited for, and a used version is never lost', async () => {
  let calls = 0;
  const consumer = consumerOf(h, 'notes.kinds', async (event, em) => {
    if (textOf(event) === 'refused') throw new DomainError('not-found', 'NOTE_NOT_FOUND', 'no such note');
    if (textOf(event) === 'passing' && (calls += 1) <= 8)
      throw new DomainError('unavailable', 'PEER_DOWN', 'the peer is down');
    await tallying(event, em);
  });
  await h.start(consumer);
  await publish(
    message(uuid(1), 'k', undefined, 'refused'),
    message(uuid(2), 'k', undefined, 'passing'),
    message(uuid(3), 'k', undefined, 'after'),
  );
  await eventually(async () => expect(await historyOf('k')).toEqual(['passing', 'after']), { timeoutMs: 20_000 });
  expect(await listParked(h.sources.system)).toMatchObject([
    { eventId: uuid(1), attempts: 1, reason: 'NOTE_NOT_FOUND' },
  ]);
  await publish(
    message(uuid(4), 'v', 1n, 'one'),
    message(uuid(5), 'v', 1n, 'another one'),
    message(uuid(6), 'v', 2n, 'two'),
  );
  await eventually(async () => expect(await historyOf('v')).toEqual(['one', 'two']));
  expect(await listParked(h.sources.system, { eventIds: [uuid(5)] })).toHaveLength(1);
  await consumer.stop();
}, 40_000);

test('an event that a consumer had begun with when it stopped comes to the next one', async () => {
  let begun = false;
  const leaving = consumerOf(h, 'notes.leaving', () => {
    begun = true;
    throw new DomainError('unavailable', 'PEER_DOWN', 'the peer is down');
  });
  await h.start(leaving);
  await publish(message(uuid(1), 'k', 1n, 'one'));
  await eventually(() => expect(begun).toBe(true));
  await leaving.stop();
  expect(await historyOf('k')).toBeUndefined();
  const next = consumerOf(h, 'notes.leaving', tallying);
  await h.start(next);
  await publish(message(uuid(2), 'k', 2n, 'two'));
  await eventually(async () => expect(await historyOf('k')).toEqual(['one', 'two']), { timeoutMs: 15_000 });
  await next.stop();
}, 40_000);
