import type { EntityManager } from 'typeorm';
import { currentTraceparent } from './tracing';

/** Half of the broker's default `max.message.bytes`, so that headers and framing fit too. */
export const PAYLOAD_BYTES_MAX = 512 * 1024;

export interface OutboxEvent {
  readonly eventId: string;
  readonly topic: string;
  /** The aggregate's id: events of one key keep their order. */
  readonly key: string;
  /** Full proto name (`JobSubmitted.$type`). */
  readonly type: string;
  readonly payload: Uint8Array;
  /**
   * Exactly one more than that of the previous event of this topic and key. Leave it out and the database counts; do the
   * same for all events of a topic.
   */
  readonly aggregateVersion?: bigint;
}

/**
 * Writes the event into the outbox, in the transaction of the change it tells of. Write the aggregate first: its row lock
 * orders events of one key. Throws a plain Error when the payload is larger than 512 KiB.
 */
export async function appendEvent(em: EntityManager, event: OutboxEvent): Promise<void> {
  if (event.payload.length > PAYLOAD_BYTES_MAX)
    throw new Error(`event ${event.type} has ${event.payload.length} bytes`);
  const traceparent = currentTraceparent();
  const version = event.aggregateVersion === undefined ? 'next_aggregate_version($2, $3)' : '$7::bigint';
  const values = [
    event.eventId,
    event.topic,
    event.key,
    event.type,
    Buffer.from(event.payload),
    traceparent ? { traceparent } : {},
  ];
  await em.query(
    `INSERT INTO outbox (event_id, topic, key, type, payload, headers, aggregate_version) VALUES ($1, $2, $3, $4, $5, $6, ${version})`,
    event.aggregateVersion === undefined ? values : [...values, event.aggregateVersion.toString()],
  );
}
