import { Partitioners, type Producer } from 'kafkajs';
import { clientOf, type KafkaNames } from './kafka-client';
import type { WireMessage } from './wire';

const ACKS_ALL = -1;
const SEND_TIMEOUT_MS = 10_000;
/** Per request; the broker's default limit is 1 MiB for the messages of one partition. */
const REQUEST_BYTES_MAX = 700 * 1024;

export interface OutgoingMessage {
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Pending {
  readonly topic: string;
  readonly messages: readonly OutgoingMessage[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Publishes in order with one request in flight: several in flight lose messages or wedge kafkajs's producer for good.
 * Calls made while a request is under way travel together in the next one. After any failure the next request gets a new
 * producer.
 */
export class KafkaPublisher {
  private producer: Promise<Producer> | undefined;
  private waiting: Pending[] = [];
  private pump: Promise<void> | undefined;
  private stopped = false;

  constructor(private readonly kafka: KafkaNames) {}

  /** Connects ahead of the first message; an unreachable broker is no error here, publishing reports it. */
  async start(): Promise<void> {
    this.stopped = false;
    await this.connected().catch(() => this.discard());
  }

  /** Resolves once all replicas in sync have the messages (acks −1). Rejects after 10 s; they may then exist nevertheless. */
  publish(topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
    if (this.stopped) return Promise.reject(new Error('the publisher has been stopped'));
    if (messages.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const bytes = messages.reduce((sum, message) => sum + sizeOf(message), 0);
      this.waiting.push({ topic, messages, bytes, resolve, reject });
      this.pump ??= this.drain();
    });
  }

  /** Several topics in one request, in the given order. */
  publishAll(
    batch: readonly { readonly topic: string; readonly messages: readonly OutgoingMessage[] }[],
  ): Promise<void> {
    return Promise.all(batch.map(({ topic, messages }) => this.publish(topic, messages))).then(() => undefined);
  }

  /** Sends what waits, then disconnects. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.pump;
    await this.discard();
  }

  private async drain(): Promise<void> {
    // A turn of the event loop, so that calls made together travel together.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.takeBatch();
      try {
        await this.send(batch);
        batch.forEach((pending) => pending.resolve());
      } catch (error) {
        await this.discard();
        batch.forEach((pending) => pending.reject(error));
      }
    }
    this.pump = undefined;
  }

  private takeBatch(): Pending[] {
    let bytes = 0;
    const end = this.waiting.findIndex((pending, index) => (bytes += pending.bytes) > REQUEST_BYTES_MAX && index > 0);
    return this.waiting.splice(0, end === -1 ? this.waiting.length : end);
  }

  private async send(batch: readonly Pending[]): Promise<void> {
    const byTopic = new Map<string, OutgoingMessage[]>();
    for (const { topic, messages } of batch) {
      const name = this.kafka.topic(topic);
      byTopic.set(name, [...(byTopic.get(name) ?? []), ...messages]);
    }
    const topicMessages = [...byTopic].map(([topic, messages]) => ({ topic, messages: messages.map(toKafka) }));
    const sending = this.connected().then((producer) =>
      producer.sendBatch({ acks: ACKS_ALL, timeout: SEND_TIMEOUT_MS, topicMessages }),
    );
    await withTimeout(sending, SEND_TIMEOUT_MS);
  }

  private connected(): Promise<Producer> {
    this.producer ??= (async () => {
      const producer = clientOf(this.kafka).producer({
        createPartitioner: Partitioners.DefaultPartitioner,
        allowAutoTopicCreation: false,
        idempotent: true,
        maxInFlightRequests: 1,
        retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
      });
      await producer.connect();
      return producer;
    })();
    return this.producer;
  }

  /** Lets go of the producer; its disconnect is not waited for longer than a moment, since it may hang with its broker. */
  private async discard(): Promise<void> {
    const old = this.producer;
    this.producer = undefined;
    if (!old) return;
    const closing = old.then((producer) => producer.disconnect()).catch(() => undefined);
    await withTimeout(closing, 1_000).catch(() => undefined);
  }
}

const toKafka = (message: OutgoingMessage) => ({
  key: message.key,
  value: Buffer.from(message.value.buffer, message.value.byteOffset, message.value.byteLength),
  headers: { ...message.headers },
});

function sizeOf(message: OutgoingMessage | WireMessage): number {
  const headers = Object.entries(message.headers ?? {}).reduce(
    (sum, [name, value]) => sum + name.length + value.length + 2,
    0,
  );
  return message.value.length + Buffer.byteLength(message.key) + headers + 24;
}

async function withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Kafka did not acknowledge within ${ms} ms`)), ms);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
