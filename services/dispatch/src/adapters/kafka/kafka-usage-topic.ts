import { DomainError, type IdGenerator } from '@daya/kernel';
import { ensureTopics, toWire, type Kafka, type KafkaPublisher } from '@daya/messaging';
import { traceparent, type Logger } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import { UsageBlockReceived } from '@daya/proto/dispatch';
import { UsageTopic } from '../../application/ports';
import type { SignedBlock } from '../../domain/frames';

export const USAGE_TOPIC = 'daya.usage.ticks';
const RETRY_MS = 2_000;

/** `daya.usage.ticks`, key node id. Kafka may be down at the start and later; agents keep what it did not take. */
export class KafkaUsageTopic extends UsageTopic {
  private readonly publisher: KafkaPublisher;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly kafka: Kafka,
    private readonly ids: IdGenerator,
    private readonly log: Logger,
  ) {
    super();
    this.publisher = kafka.producer();
  }

  async start(): Promise<void> {
    await Promise.all([this.publisher.start(), this.ensureTopic()]);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.publisher.stop();
  }

  override async publish(block: { nodeId: string; receiveTime: Date; signed: SignedBlock }): Promise<void> {
    const { nodeId, receiveTime, signed } = block;
    const message = toWire({
      id: this.ids.next(),
      type: UsageBlockReceived.$type,
      key: nodeId,
      payload: UsageBlockReceived.encode({
        nodeId,
        receiveTime: toTimestamp(receiveTime),
        signedBlock: { ...signed, block: Buffer.from(signed.block), signature: Buffer.from(signed.signature) },
      }).finish(),
      aggregateVersion: undefined,
      time: receiveTime,
      source: 'dispatch',
      headers: traceHeaders(),
    });
    try {
      await this.publisher.publish(USAGE_TOPIC, [message]);
    } catch (error) {
      throw new DomainError('unavailable', 'KAFKA_UNAVAILABLE', error instanceof Error ? error.message : String(error));
    }
  }

  private async ensureTopic(): Promise<void> {
    try {
      await ensureTopics(this.kafka, [{ name: USAGE_TOPIC }]);
    } catch (error) {
      this.log.warn({ err: error }, 'Kafka does not answer: usage blocks wait at the agents');
      if (!this.stopped) this.timer = setTimeout(() => void this.ensureTopic(), RETRY_MS);
    }
  }
}

function traceHeaders(): Record<string, string> {
  const header = traceparent();
  return header === undefined ? {} : { traceparent: header };
}
