import { pino, type Logger } from 'pino';
import { KafkaAdmin } from './kafka-admin';
import { attachClient, type Dial, type KafkaNames } from './kafka-client';
import { KafkaPublisher } from './kafka-publisher';

export interface KafkaOptions {
  readonly brokers: readonly string[] | string;
  /** Before every topic and group, so that runs can share a broker; '' in production. */
  readonly prefix: string;
  readonly clientId: string;
  readonly logger?: Logger;
  /** For port forwards, and tests that break the link. */
  readonly dial?: Dial;
}

/** The connection settings of one service; everything else in this library is built from it. */
export class Kafka implements KafkaNames {
  readonly clientId: string;
  readonly logger: Logger;
  private readonly prefix: string;

  constructor(options: KafkaOptions) {
    this.clientId = options.clientId;
    this.prefix = options.prefix;
    this.logger = options.logger ?? pino({ name: options.clientId, level: 'warn' }, pino.destination(2));
    const brokers =
      typeof options.brokers === 'string' ? options.brokers.split(',').map((broker) => broker.trim()) : options.brokers;
    attachClient(this, { clientId: this.clientId, brokers, logger: this.logger, dial: options.dial });
  }

  /** The topic's name on the broker. */
  topic(name: string): string {
    return `${this.prefix}${name}`;
  }

  /** The consumer group's name on the broker. */
  group(name: string): string {
    return `${this.prefix}${name}`;
  }

  /** A producer that has one request in flight; not started. */
  producer(): KafkaPublisher {
    return new KafkaPublisher(this);
  }

  /** Connects per call. */
  admin(): KafkaAdmin {
    return new KafkaAdmin(this);
  }
}

export const createKafka = (options: KafkaOptions): Kafka => new Kafka(options);
