import { setTimeout as sleep } from 'node:timers/promises';
import { inTransaction } from '@daya/postgres';
import type { EachBatchPayload } from 'kafkajs';
import type { DataSource, EntityManager } from 'typeorm';
import { ConsumerLoop, type PartitionBatch } from './consumer-loop';
import type { PartitionEvent } from './event';
import type { Kafka } from './kafka';
import type { PartitionRange } from './kafka-admin';
import { consumerEvents, consumerLag } from './metrics';
import { OffsetConflict, PartitionOffsets } from './partition-offsets';
import { fromWire } from './wire';

const BACKOFF_MS = { first: 50, max: 5_000 };

export interface BatchConsumerOptions {
  readonly kafka: Kafka;
  /** Consumer group, and the consumer's name beside its offsets; `<service>.<purpose>`. */
  readonly group: string;
  readonly topics: readonly string[];
  /** The system role's data source. */
  readonly db: DataSource;
  /**
   * Applies events of one partition, in order, in the given transaction; the new offset commits with its writes. It must
   * put aside by itself what it refuses: a batch that throws is tried until it passes.
   */
  readonly handle: (events: readonly PartitionEvent[], em: EntityManager) => Promise<void>;
}

/**
 * For streams without an inbox (usage ticks, projections): the offset lives in the handler's database and moves by
 * compare-and-set in the handler's transaction, so a consumer that lost its partition cannot write. Kafka's own offset is
 * a hint only.
 */
export class BatchConsumer {
  private readonly loop: ConsumerLoop;
  private readonly offsets: PartitionOffsets;

  constructor(private readonly options: BatchConsumerOptions) {
    const { kafka, group, topics } = options;
    this.offsets = new PartitionOffsets(group);
    this.loop = new ConsumerLoop({ kafka, group, topics, eachBatch: (batch) => this.handleBatch(batch) });
  }

  /** Returns at once; an absent broker or database is waited for. */
  start(): Promise<void> {
    this.loop.start();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private async handleBatch({ payload, topic, abandoned, seek }: PartitionBatch): Promise<void> {
    const { batch, resolveOffset } = payload;
    for (let round = 0; !abandoned(); round += 1) {
      try {
        const outcome = await this.applyBatch(payload, topic);
        if (outcome === 'applied') {
          resolveOffset(batch.lastOffset());
          consumerLag.set(
            { consumer: this.options.group, topic, partition: batch.partition },
            Number(batch.offsetLag()),
          );
        } else {
          // Ours is behind Kafka's hint, or messages are gone: read on from where the database stands.
          seek(outcome.from);
        }
        return;
      } catch (error) {
        this.options.kafka.logger.warn(
          { err: error, topic, partition: batch.partition, group: this.options.group },
          'batch failed; trying again',
        );
        await sleep(Math.min(BACKOFF_MS.first * 2 ** round, BACKOFF_MS.max) * (0.5 + Math.random() / 2));
      }
    }
  }

  private async applyBatch({ batch }: EachBatchPayload, topic: string): Promise<'applied' | { from: bigint }> {
    const { db, kafka, handle, group } = this.options;
    const next = await this.offsets.read(db, topic, batch.partition);
    const first = BigInt(batch.firstOffset() ?? batch.lastOffset());
    const end = BigInt(batch.lastOffset()) + 1n;
    if (end <= next) {
      if (BigInt(batch.highWatermark) < next) await this.refuseTruncated(topic, batch.partition, next);
      return 'applied';
    }
    if (first > next) {
      const { low } = await this.range(topic, batch.partition);
      if (low <= next && !this.offsets.isHole(topic, batch.partition, next)) {
        this.offsets.noteHole(topic, batch.partition, next);
        return { from: next };
      }
      if (low > next)
        kafka.logger.error(
          { topic, partition: batch.partition, next, low, group },
          'messages expired before they were handled',
        );
    }
    const events = batch.messages
      .filter(({ offset }) => BigInt(offset) >= next)
      .map((message) => fromWire(topic, message));
    const ours = events.filter((event) => event !== undefined);
    try {
      await inTransaction(db, async (em) => {
        await this.offsets.advance(em, topic, batch.partition, next, end);
        await handle(ours, em);
      });
    } catch (error) {
      if (error instanceof OffsetConflict) consumerEvents.inc({ consumer: group, topic, outcome: 'fenced' });
      throw error;
    }
    consumerEvents.inc({ consumer: group, topic, outcome: 'handled' }, ours.length);
    return 'applied';
  }

  /** The batch may be older than the database's position; only the broker knows whether the partition really ends before it. */
  private async refuseTruncated(topic: string, partition: number, next: bigint): Promise<void> {
    const { high } = await this.range(topic, partition);
    if (high >= next) return;
    throw new Error(
      `${topic}/${partition} ends before offset ${next}, which was already handled: the topic was made anew or restored`,
    );
  }

  private async range(topic: string, partition: number): Promise<PartitionRange> {
    const range = (await this.options.kafka.admin().ranges(topic)).find((each) => each.partition === partition);
    if (!range) throw new Error(`${topic} has no partition ${partition}`);
    return range;
  }
}
