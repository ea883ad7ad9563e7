import type { Admin } from 'kafkajs';
import { clientOf, type KafkaNames } from './kafka-client';

/** Longer than any consumer's absence that a replay must cover, shorter than inbox rows live (`INBOX_RETENTION_MS`). */
export const TOPIC_RETENTION_MS = 30 * 86_400_000;
export const PARTITIONS = 4;

export interface TopicSpec {
  readonly name: string;
  /** 4 when absent. */
  readonly partitions?: number;
  /** 30 days when absent; -1 keeps everything. */
  readonly retentionMs?: number;
}

export interface PartitionRange {
  readonly partition: number;
  /** Offset of the oldest message kept. */
  readonly low: bigint;
  /** Offset that the next message gets. */
  readonly high: bigint;
}

/** What services and tools need of the broker's admin interface; names are without the prefix. */
export class KafkaAdmin {
  constructor(private readonly kafka: KafkaNames) {}

  /** Creates what is missing, and `<topic>.dead` beside each; existing topics stay as they are. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    return this.with(async (admin) => {
      const present = new Set(await admin.listTopics());
      const wanted = topics.flatMap((topic) =>
        isDead(topic.name) ? [topic] : [topic, { ...topic, name: deadTopic(topic.name), partitions: 1 }],
      );
      const missing = wanted.filter((topic) => !present.has(this.kafka.topic(topic.name)));
      if (missing.length === 0) return;
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map((topic) => ({
          topic: this.kafka.topic(topic.name),
          numPartitions: topic.partitions ?? PARTITIONS,
          configEntries: [{ name: 'retention.ms', value: String(topic.retentionMs ?? TOPIC_RETENTION_MS) }],
        })),
      });
    });
  }

  /** The partitions of a topic and the offsets they hold. */
  ranges(topic: string): Promise<PartitionRange[]> {
    return this.with(async (admin) => {
      const offsets = await admin.fetchTopicOffsets(this.kafka.topic(topic));
      return offsets.map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }));
    });
  }

  /** Sets a stopped group back to the first message, so that it reads the topic again. */
  rewind(group: string, topic: string): Promise<void> {
    return this.with((admin) =>
      admin.resetOffsets({ groupId: this.kafka.group(group), topic: this.kafka.topic(topic), earliest: true }),
    );
  }

  /** Throws when the broker does not answer. */
  ping(): Promise<void> {
    return this.with(async (admin) => {
      await admin.describeCluster();
    });
  }

  private async with<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = clientOf(this.kafka).admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  }
}

export const deadTopic = (topic: string): string => `${topic}.dead`;
const isDead = (topic: string): boolean => topic.endsWith('.dead');

/** Creates the topics (and their dead-letter topics) that do not exist yet. */
export const ensureTopics = (kafka: KafkaNames, topics: readonly TopicSpec[]): Promise<void> =>
  new KafkaAdmin(kafka).ensureTopics(topics);
