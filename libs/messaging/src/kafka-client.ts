import { connect } from 'node:net';
import { Kafka as KafkaJs, logLevel, type ISocketFactory, type LogEntry } from 'kafkajs';
import type { Logger } from 'pino';
import { calmKafkajs } from './calm-kafkajs';

const CONNECTION_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;
/** About 5 s in all; callers above have their own loops. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_500, retries: 6 };

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** Maps a broker's advertised address to the one to dial. */
export type Dial = (broker: BrokerAddress) => BrokerAddress;

/** How topics and groups of this run are called on the broker. */
export interface KafkaNames {
  topic(name: string): string;
  group(name: string): string;
}

calmKafkajs();

const clients = new WeakMap<KafkaNames, KafkaJs>();

/** kafkajs stays inside this library: this is the only way to it, and it is not exported. */
export function clientOf(kafka: KafkaNames): KafkaJs {
  const client = clients.get(kafka);
  if (!client) throw new Error('not a Kafka made by createKafka');
  return client;
}

export function attachClient(
  kafka: KafkaNames,
  options: { clientId: string; brokers: readonly string[]; logger: Logger; dial: Dial | undefined },
): void {
  const log = options.logger.child({ library: 'kafkajs' });
  const client = new KafkaJs({
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: RETRY,
    ...(options.dial && { socketFactory: dialer(options.dial) }),
    logLevel: logLevel.WARN,
    // Its errors are what it retries inside; those that matter reach us as exceptions and crash events.
    logCreator: () => (entry: LogEntry) =>
      log.debug({ namespace: entry.namespace, error: entry.log['error'] as unknown }, entry.log.message),
  });
  clients.set(kafka, client);
}

const dialer =
  (dial: Dial): ISocketFactory =>
  ({ host, port, onConnect }) => {
    const socket = connect({ ...dial({ host, port }) }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return socket;
  };
