import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import type { Kafka } from './kafka';
import { clientOf } from './kafka-client';
import { consumerRestarts } from './metrics';

const SESSION_TIMEOUT_MS = 6_000;
const REBALANCE_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 1_000;
/** The broker answers at once when it has something; only stopping waits for this. */
const MAX_WAIT_MS = 500;
const COMMIT_INTERVAL_MS = 500;
const PARTITIONS_AT_ONCE = 3;
/** A consumer that neither fetches nor works for so long has stopped silently. */
const SILENCE_MS = 45_000;
const BACKOFF_MS = { first: 200, max: 5_000 };

export interface PartitionBatch {
  readonly payload: EachBatchPayload;
  /** Without the prefix of this run. */
  readonly topic: string;
  /** True once this consumer stops or no longer owns the partition: end the work soon. */
  readonly abandoned: () => boolean;
  readonly seek: (offset: bigint) => void;
}

export interface ConsumerLoopOptions {
  readonly kafka: Kafka;
  readonly group: string;
  readonly topics: readonly string[];
  readonly eachBatch: (batch: PartitionBatch) => Promise<void>;
}

/**
 * Keeps one kafkajs consumer running: after a crash, a lost broker or silence it is replaced by a new one, for ever.
 * kafkajs gives up for good on errors that it calls not retriable.
 */
export class ConsumerLoop {
  private stopping = false;
  private loop: Promise<void> | undefined;
  private interrupt: () => void = () => undefined;
  private aliveAt = 0;

  constructor(private readonly options: ConsumerLoopOptions) {}

  start(): void {
    this.stopping = false;
    this.loop ??= this.run();
  }

  /** Waits for the events under way, then leaves the group. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.interrupt();
    await this.loop;
    this.loop = undefined;
  }

  get isStopping(): boolean {
    return this.stopping;
  }

  /** Called by whoever works, so that long work is not taken for silence. */
  alive(): void {
    this.aliveAt = Date.now();
  }

  private async run(): Promise<void> {
    let backoffMs = BACKOFF_MS.first;
    while (!this.stopping) {
      const startedAt = Date.now();
      try {
        await this.session();
      } catch (error) {
        consumerRestarts.inc({ consumer: this.options.group });
        this.options.kafka.logger.warn(
          { err: error, group: this.options.group },
          'consumer failed; starting a new one',
        );
      }
      if (Date.now() - startedAt > SILENCE_MS) backoffMs = BACKOFF_MS.first;
      if (!this.stopping) await this.pause(backoffMs);
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.max);
    }
  }

  private async session(): Promise<void> {
    const { kafka, group, topics } = this.options;
    await kafka.admin().ensureTopics(topics.map((name) => ({ name })));
    const consumer = clientOf(kafka).consumer({
      groupId: kafka.group(group),
      sessionTimeout: SESSION_TIMEOUT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: MAX_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: () => Promise.resolve(false) },
    });
    const ended = this.endOf(consumer);
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: topics.map((topic) => kafka.topic(topic)), fromBeginning: true });
      this.alive();
      await consumer.run({
        autoCommit: true,
        autoCommitInterval: COMMIT_INTERVAL_MS,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch: (payload) => this.eachBatch(payload, consumer),
      });
      await ended;
    } finally {
      this.interrupt = () => undefined;
      await consumer.disconnect().catch(() => undefined);
    }
  }

  /** Resolves when asked to stop; rejects when the consumer crashed or fell silent. */
  private endOf(consumer: Consumer): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      const watch = setInterval(() => {
        if (Date.now() - this.aliveAt > SILENCE_MS) reject(new Error(`no fetch for ${SILENCE_MS} ms`));
      }, HEARTBEAT_MS);
      const clear = (): void => clearInterval(watch);
      this.alive();
      this.interrupt = () => {
        clear();
        resolve();
      };
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        clear();
        reject(payload.error);
      });
      consumer.on(consumer.events.FETCH, () => this.alive());
      if (this.stopping) this.interrupt();
    });
    // It may reject while connect() or run() still awaits the same broker.
    ended.catch(() => undefined);
    return ended;
  }

  private async eachBatch(payload: EachBatchPayload, consumer: Consumer): Promise<void> {
    const topic = this.options.topics.find((name) => this.options.kafka.topic(name) === payload.batch.topic);
    if (topic === undefined) throw new Error(`batch of a topic that was not subscribed: ${payload.batch.topic}`);
    let failure: unknown;
    // kafkajs sends heartbeats only between batches, and a rebalance is reported by a heartbeat that throws.
    const beat = setInterval(() => {
      this.alive();
      payload.heartbeat().catch((error: unknown) => (failure = error));
    }, HEARTBEAT_MS);
    try {
      const { batch, isRunning, isStale } = payload;
      await this.options.eachBatch({
        payload,
        topic,
        abandoned: () => this.stopping || failure !== undefined || !isRunning() || isStale(),
        seek: (offset) => consumer.seek({ topic: batch.topic, partition: batch.partition, offset: offset.toString() }),
      });
    } finally {
      clearInterval(beat);
    }
    if (failure !== undefined) throw failure as Error;
  }

  private async pause(ms: number): Promise<void> {
    const stop = new AbortController();
    this.interrupt = () => stop.abort();
    await sleep(Math.random() * ms, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}
