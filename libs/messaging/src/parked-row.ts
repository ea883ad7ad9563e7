import type { EventEnvelope } from './event';

export const PARKED_COLUMNS =
  'event_id, kind, topic, key, type, aggregate_version, payload, headers, source, event_time';

export interface ParkedRow {
  readonly event_id: string;
  readonly kind: 'POISON' | 'GAP';
  readonly topic: string;
  readonly key: string;
  readonly type: string;
  readonly aggregate_version: string | null;
  readonly payload: Buffer;
  readonly headers: { readonly traceparent?: string };
  readonly source: string;
  readonly event_time: Date;
}

export const fromParkedRow = (row: ParkedRow): EventEnvelope => ({
  id: row.event_id,
  type: row.type,
  topic: row.topic,
  key: row.key,
  payload: row.payload,
  aggregateVersion: row.aggregate_version === null ? undefined : BigInt(row.aggregate_version),
  time: row.event_time,
  source: row.source,
  traceparent: row.headers.traceparent,
});
