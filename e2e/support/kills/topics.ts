import { Kafka, logLevel, type Admin, type KafkaMessage } from 'kafkajs';
import { setTimeout as sleep } from 'node:timers/promises';

const COPY_MS = 90_000;
const QUIET_MS = 2_000;
const QUIET_PATIENCE_MS = 60_000;

interface Copied {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
}

const client = (brokers: readonly string[]): Kafka =>
  new Kafka({ clientId: 'replay', brokers: [...brokers], logLevel: logLevel.NOTHING });

/** Resolves when nothing new has come to any of the topics for two seconds. */
export function untilQuiet(brokers: readonly string[], topics: readonly string[]): Promise<void> {
  return withAdmin(brokers, async (admin) => {
    const ends = async (): Promise<string> =>
      JSON.stringify(
        await Promise.all(topics.map(async (topic) => (await admin.fetchTopicOffsets(topic)).map(({ high }) => high))),
      );
    const deadline = Date.now() + QUIET_PATIENCE_MS;
    let before = '';
    for (let now = await ends(); now !== before; now = await ends()) {
      if (Date.now() > deadline) throw new Error(`the topics never fell quiet: ${topics.join(', ')}`);
      before = now;
      await sleep(QUIET_MS);
    }
  });
}

/**
 * Sends every message of the topics again, from the first on, to the topics of the same name with a prefix: same partition,
 * key, headers, bytes and order, so that a service under that prefix meets its whole past. Returns how many there were.
 */
export async function replayTopics(
  brokers: readonly string[],
  topics: readonly string[],
  prefix: string,
): Promise<number> {
  const ends = await withAdmin(brokers, async (admin) => {
    const created = await Promise.all(
      topics.map(async (topic) => ({ topic, partitions: await admin.fetchTopicOffsets(topic) })),
    );
    await admin.createTopics({
      waitForLeaders: true,
      topics: created.map(({ topic, partitions }) => ({ topic: prefix + topic, numPartitions: partitions.length })),
    });
    return created.flatMap(({ topic, partitions }) =>
      partitions
        .filter(({ low, high }) => high !== low)
        .map(({ partition, high }) => ({ at: `${topic}/${partition}`, end: BigInt(high) })),
    );
  });
  const messages = await readUpTo(brokers, topics, `${prefix}reader`, new Map(ends.map(({ at, end }) => [at, end])));
  const producer = client(brokers).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    for (const topic of topics) {
      const mine = messages.filter((copied) => copied.topic === topic);
      const sent = mine.map(({ partition, message: { key, value, headers, timestamp } }) => ({
        partition,
        key,
        value,
        timestamp,
        ...(headers && { headers }),
      }));
      while (sent.length > 0) await producer.send({ topic: prefix + topic, acks: -1, messages: sent.splice(0, 500) });
    }
  } finally {
    await producer.disconnect();
  }
  return messages.length;
}

/** Every message of the topics before the given ends, in the order of each partition. */
async function readUpTo(
  brokers: readonly string[],
  topics: readonly string[],
  groupId: string,
  ends: ReadonlyMap<string, bigint>,
): Promise<Copied[]> {
  const open = new Map(ends);
  const read: Copied[] = [];
  const consumer = client(brokers).consumer({ groupId, maxWaitTimeInMs: 100 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ topic, partition, message }) => {
        const at = `${topic}/${partition}`;
        const end = ends.get(at);
        if (end !== undefined && BigInt(message.offset) < end) read.push({ topic, partition, message });
        if (end !== undefined && BigInt(message.offset) >= end - 1n) open.delete(at);
        return Promise.resolve();
      },
    });
    const deadline = Date.now() + COPY_MS;
    while (open.size > 0) {
      if (Date.now() > deadline) throw new Error(`not read to the end: ${[...open.keys()].join(', ')}`);
      await sleep(50);
    }
  } finally {
    await consumer.disconnect();
  }
  return read;
}

/** Takes the copies away again. */
export const dropTopics = (brokers: readonly string[], prefix: string): Promise<void> =>
  withAdmin(brokers, async (admin) => {
    const mine = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
    if (mine.length > 0) await admin.deleteTopics({ topics: mine });
  });

async function withAdmin<T>(brokers: readonly string[], work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client(brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}
