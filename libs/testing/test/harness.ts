import { randomUUID } from 'node:crypto';
import {
  appendEvent,
  BatchConsumer,
  EventConsumer,
  ensureTopics,
  type EventConsumerOptions,
  type EventHandler,
  type PartitionEvent,
} from '@daya/messaging';
import { createDataSources, inTransaction, type DataSources } from '@daya/postgres';
import { testDatabase, testKafka, type TestDatabase, type TestKafka } from '../src';
import { NOTES } from './notes-schema';

export const TOPIC = 'daya.notes';
export const WRITTEN = 'daya.notes.v1.Written';

export interface Harness {
  readonly database: TestDatabase;
  readonly sources: DataSources;
  readonly kafka: TestKafka;
  /** Starts them, and stops at `close` what the test has not stopped: a failed test must not go on in the background. */
  start(...startables: readonly Startable[]): Promise<void>;
  close(): Promise<void>;
}

interface Startable {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export async function harness(): Promise<Harness> {
  const database = await testDatabase('notes', NOTES);
  const sources = await createDataSources({ ...database, applicationName: 'notes', poolSize: 20 }).open();
  const kafka = testKafka();
  await ensureTopics(kafka.connect(), [{ name: TOPIC }]);
  const started: Startable[] = [];
  return {
    database,
    sources,
    kafka,
    start: async (...startables) => {
      started.push(...startables);
      await Promise.all(startables.map((startable) => startable.start()));
    },
    close: async () => {
      await Promise.all(started.map((startable) => startable.stop()));
      await sources.close();
      await database.drop();
    },
  };
}

/** Appends one event in its own transaction, as a use case does: aggregate first, event last. */
export const write = (sources: DataSources, key: string, text: string, type = WRITTEN): Promise<string> =>
  inTransaction(sources.system, async (em) => {
    const eventId = randomUUID();
    await em.query(
      `INSERT INTO note (note_id, owner_id, text) VALUES ($1, gen_random_uuid(), $2) ON CONFLICT (note_id) DO UPDATE SET text = excluded.text`,
      [key, text],
    );
    await appendEvent(em, { eventId, topic: TOPIC, key, type, payload: Buffer.from(text) });
    return eventId;
  });

/** Reads a topic from its start into memory. */
export function tap({ kafka, sources }: Harness, topic = TOPIC): { events: PartitionEvent[]; consumer: BatchConsumer } {
  const events: PartitionEvent[] = [];
  const handle = (batch: readonly PartitionEvent[]): Promise<void> => {
    events.push(...batch);
    return Promise.resolve();
  };
  const consumer = new BatchConsumer({
    kafka: kafka.connect('tap'),
    group: `tap-${randomUUID()}`,
    topics: [topic],
    db: sources.system,
    handle,
  });
  return { events, consumer };
}

export const textOf = (event: { readonly payload: Uint8Array }): string => Buffer.from(event.payload).toString();

/** Adds to a tally per key: how many, and in which order. Doing an event twice would show. */
export const tallying: EventHandler = async (event, em) => {
  await em.query(
    `INSERT INTO tally (name, count, history) VALUES ($1, 1, ARRAY[$2]) ON CONFLICT (name) DO UPDATE SET count = tally.count + 1, history = tally.history || excluded.history`,
    [event.key, textOf(event)],
  );
};

export function consumerOf(
  { kafka, sources }: Harness,
  group: string,
  handler: EventHandler,
  more: Partial<EventConsumerOptions> = {},
): EventConsumer {
  return new EventConsumer({
    kafka: kafka.connect(group),
    group,
    topics: [TOPIC],
    db: sources.system,
    handlers: { [WRITTEN]: handler },
    ...more,
  });
}

export interface Tally {
  readonly name: string;
  readonly count: string;
  readonly history: string[];
}

export const tallies = ({ sources }: Harness): Promise<Tally[]> =>
  sources.system.query(`SELECT name, count, history FROM tally ORDER BY name`);
