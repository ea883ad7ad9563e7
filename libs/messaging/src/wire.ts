import type { IHeaders, KafkaMessage } from 'kafkajs';
import type { EventEnvelope, PartitionEvent } from './event';

/** What goes on the wire: CloudEvents headers in binary mode, ours beside them. */
export interface WireMessage {
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

export interface WireEvent extends Omit<EventEnvelope, 'topic' | 'traceparent'> {
  readonly headers: Readonly<Record<string, string>>;
}

export function toWire(event: WireEvent): WireMessage {
  const headers: Record<string, string> = {
    ...event.headers,
    ce_specversion: '1.0',
    ce_id: event.id,
    ce_type: event.type,
    ce_source: event.source,
    ce_time: event.time.toISOString(),
    'content-type': 'application/protobuf',
  };
  if (event.aggregateVersion !== undefined) headers['ce_aggregateversion'] = event.aggregateVersion.toString();
  return { key: event.key, value: event.payload, headers };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const VERSION = /^[1-9][0-9]{0,17}$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Postgres cannot store it in text. */
const NUL = '\0';

/**
 * Undefined when the message is not an event of ours (no UUID, no type, a version that is no number): consumers count it
 * and go on, since it could not even be parked.
 */
export function fromWire(topic: string, message: KafkaMessage): PartitionEvent | undefined {
  const headers = textHeaders(message.headers);
  const { ce_id: id, ce_type: type, ce_aggregateversion: version } = headers;
  const key = message.key?.toString('utf8') ?? '';
  if (
    id === undefined ||
    !UUID.test(id) ||
    type === undefined ||
    [type, key, headers['ce_source']].some((text) => text?.includes(NUL))
  )
    return undefined;
  if (version !== undefined && !VERSION.test(version)) return undefined;
  return {
    id,
    type,
    topic,
    key,
    payload: message.value ?? Buffer.alloc(0),
    aggregateVersion: version === undefined ? undefined : BigInt(version),
    time: timeOf(headers['ce_time'], message.timestamp),
    source: headers['ce_source'] ?? '',
    traceparent: TRACEPARENT.test(headers['traceparent'] ?? '') ? headers['traceparent'] : undefined,
    offset: BigInt(message.offset),
  };
}

function timeOf(header: string | undefined, brokerMs: string): Date {
  const time = new Date(header ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? new Date(Number(brokerMs)) : time;
}

function textHeaders(headers: IHeaders | undefined): Record<string, string | undefined> {
  const entries = Object.entries(headers ?? {}).map(([name, value]) => {
    const first = Array.isArray(value) ? value[0] : value;
    return [name, first === undefined ? undefined : first.toString()];
  });
  return Object.fromEntries(entries) as Record<string, string | undefined>;
}
