import { write } from '@daya/postgres';
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
export const appendEvent = (em: EntityManager, event: OutboxEvent): Promise<void> => appendEvents(em, [event]);

/** Writes events, in their order, in one statement; otherwise as `appendEvent`. Either all bring their version or none. */
export async function appendEvents(em: EntityManager, events: readonly OutboxEvent[]): Promise<void> {
  if (events.length === 0) return;
  for (const { type, payload } of events)
    if (payload.length > PAYLOAD_BYTES_MAX) throw new Error(`event ${type} has ${payload.length} bytes`);
  const versions = events.flatMap(({ aggregateVersion }) => aggregateVersion?.toString() ?? []);
  if (versions.length > 0 && versions.length < events.length) throw new Error('some events lack their version');
  const counted = versions.length === 0;
  const traceparent = currentTraceparent();
  const values = [
    events.map(({ eventId }) => eventId),
    events.map(({ topic }) => topic),
    events.map(({ key }) => key),
    events.map(({ type }) => type),
    events.map(({ payload }) => Buffer.from(payload)),
    traceparent ? { traceparent } : {},
  ];
  await write(
    em,
    `INSERT INTO outbox (event_id, topic, key, type, payload, headers, aggregate_version)
     SELECT event_id, topic, key, type, payload, $6::jsonb, ${counted ? 'next_aggregate_version(topic, key)' : 'version'}
     FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[]${counted ? '' : ', $7::bigint[]'})
       WITH ORDINALITY AS n (event_id, topic, key, type, payload, ${counted ? '' : 'version, '}place) ORDER BY place`,
    counted ? values : [...values, versions],
  );
}
