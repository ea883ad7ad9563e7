export { appendEvent, appendEvents, PAYLOAD_BYTES_MAX, type OutboxEvent } from './append-event';
export { BatchConsumer, type BatchConsumerOptions } from './batch-consumer';
export { listParked, replayDeadLetters, type ParkedEvent, type ParkedFilter } from './dead-letters';
export { on, type EventCodec, type EventEnvelope, type EventHandler, type PartitionEvent } from './event';
export { EventConsumer, type EventConsumerOptions } from './event-consumer';
export { EventInbox, type Applied, type GapReader, type Outcome, type OwnerState } from './event-inbox';
export { createKafka, Kafka, type KafkaOptions } from './kafka';
export {
  deadTopic,
  ensureTopics,
  KafkaAdmin,
  PARTITIONS,
  TOPIC_RETENTION_MS,
  type PartitionRange,
  type TopicSpec,
} from './kafka-admin';
export { KafkaPublisher, type OutgoingMessage } from './kafka-publisher';
export { OutboxRelay, type OutboxRelayOptions } from './outbox-relay';
export { MessagePurge } from './message-purge';
export { INBOX_RETENTION_MS, OUTBOX_RETENTION_MS, purgeMessages, type PurgeOptions } from './purge';
export { OUTBOX_INBOX_SQL } from './schema';
export { toWire, type WireEvent, type WireMessage } from './wire';
