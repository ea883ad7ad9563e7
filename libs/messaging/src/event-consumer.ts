import type { DataSource } from 'typeorm';
import { ConsumerLoop, type PartitionBatch } from './consumer-loop';
import type { EventEnvelope, EventHandler } from './event';
import { EventInbox, type GapReader } from './event-inbox';
import type { Kafka } from './kafka';
import { consumerEvents, consumerLag, consumerParked } from './metrics';
import { ParkedEvents } from './parked-events';
import { consumerSpan } from './tracing';
import { Tries } from './tries';
import { fromWire } from './wire';

const ATTEMPTS_MAX = 5;
const GAP_PATIENCE_MS = 60_000;
const SWEEP_MS = 1_000;

export interface EventConsumerOptions {
  readonly kafka: Kafka;
  /** Consumer group, and the consumer's name in the inbox; `<service>.<purpose>`. */
  readonly group: string;
  readonly topics: readonly string[];
  /** The system role's data source. */
  readonly db: DataSource;
  /** By full proto name; other types are counted and passed over. */
  readonly handlers: Readonly<Record<string, EventHandler>>;
  /** Tries of an event whose handler fails, before it is parked; 5 when absent. */
  readonly maxAttempts?: number;
  /** Reads an aggregate from its owner when an earlier version did not come within the patience. */
  readonly onGap?: GapReader;
  /** 60 s when absent. */
  readonly gapPatienceMs?: number;
}

/**
 * Handles each event exactly once in effect: the handler's writes and the mark commit together, the Kafka offset after
 * them. Events of one aggregate are handled in version order; an event that cannot be handled is parked, and with it only
 * later events of its aggregate. `unavailable` and `exhausted` are tried until they pass.
 */
export class EventConsumer {
  private readonly loop: ConsumerLoop;
  private readonly inbox: EventInbox;
  private readonly parked: ParkedEvents;
  private readonly tries: Tries;
  private sweeper: NodeJS.Timeout | undefined;
  private sweeping: Promise<void> | undefined;

  constructor(private readonly options: EventConsumerOptions) {
    const { kafka, group, topics, db, handlers } = options;
    this.inbox = new EventInbox(db, group, handlers);
    this.parked = new ParkedEvents(this.inbox, options.onGap, options.gapPatienceMs ?? GAP_PATIENCE_MS);
    this.loop = new ConsumerLoop({ kafka, group, topics, eachBatch: (batch) => this.handleBatch(batch) });
    this.tries = new Tries(options.maxAttempts ?? ATTEMPTS_MAX);
  }

  /** Returns at once; an absent broker or database is waited for. */
  start(): Promise<void> {
    this.loop.start();
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    clearInterval(this.sweeper);
    await this.loop.stop();
    await this.sweeping;
  }

  private async handleBatch({ payload, topic, abandoned }: PartitionBatch): Promise<void> {
    const { batch, resolveOffset, heartbeat, commitOffsetsIfNecessary } = payload;
    for (const message of batch.messages) {
      if (abandoned()) return;
      const event = fromWire(topic, message);
      if (event) {
        const done = await this.handle(event, abandoned);
        if (!done) return;
      } else {
        this.count(topic, 'foreign');
      }
      resolveOffset(message.offset);
      const left = BigInt(batch.highWatermark) - BigInt(message.offset) - 1n;
      consumerLag.set({ consumer: this.options.group, topic, partition: batch.partition }, Number(left));
      await commitOffsetsIfNecessary();
      await heartbeat();
    }
  }

  /** False when the consumer stops, or loses the partition, before the event was dealt with. */
  private async handle(event: EventEnvelope, abandoned: () => boolean): Promise<boolean> {
    const apply = () => this.tries.run(() => this.inbox.apply(event), abandoned);
    const outcome = await consumerSpan(`${event.type} process`, event.traceparent, apply);
    if (outcome.kind === 'stopped') return false;
    if (outcome.kind === 'failed') {
      this.options.kafka.logger.error(
        { err: outcome.error, eventId: event.id, type: event.type, key: event.key },
        'event parked',
      );
      const parking = await this.tries.run(() => this.inbox.park(event, outcome.error, outcome.attempts), abandoned);
      if (parking.kind === 'stopped') return false;
      if (parking.kind === 'failed') throw parking.error as Error;
      this.count(event.topic, 'parked');
      return true;
    }
    this.count(event.topic, outcome.value.outcome);
    if (outcome.value.othersWait) this.sweep();
    return true;
  }

  private count(topic: string, outcome: string): void {
    consumerEvents.inc({ consumer: this.options.group, topic, outcome });
  }

  /** One sweep at a time; a failing database is met again at the next. */
  private sweep(): void {
    this.sweeping ??= this.sweepOnce().finally(() => (this.sweeping = undefined));
  }

  private async sweepOnce(): Promise<void> {
    if (this.loop.isStopping) return;
    try {
      await this.parked.sweep();
      const open = await this.inbox.openParked();
      for (const kind of ['POISON', 'GAP'] as const)
        consumerParked.set({ consumer: this.options.group, kind }, open[kind]);
    } catch (error) {
      this.options.kafka.logger.warn({ err: error, group: this.options.group }, 'parked events could not be looked at');
    }
  }
}
