import { randomBytes } from 'node:crypto';
import { createKafka, type Kafka } from '@daya/messaging';
import { createLogger } from '@daya/nest';
import { testStack } from './stack';

export interface TestKafka {
  readonly brokers: string;
  readonly prefix: string;
  readonly env: { readonly KAFKA_BROKERS: string; readonly KAFKA_PREFIX: string };
  /** Another connection with the same prefix; it logs nothing. */
  connect(clientId?: string): Kafka;
}

/** The stack's Kafka under a prefix of its own. */
export function testKafka(): TestKafka {
  const { brokers } = testStack().kafka;
  const prefix = `t-${randomBytes(6).toString('hex')}.`;
  return {
    brokers,
    prefix,
    env: { KAFKA_BROKERS: brokers, KAFKA_PREFIX: prefix },
    connect: (clientId = 'test') =>
      createKafka({ brokers, prefix, clientId, logger: createLogger({ LOG_LEVEL: 'silent', SERVICE: clientId }) }),
  };
}
