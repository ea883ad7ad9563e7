import * as fc from 'fast-check';
import type { KafkaMessage } from 'kafkajs';
import { fromWire, toWire, type WireEvent } from './wire';

const base = { attributes: 0, timestamp: '1700000000000', offset: '7' };
const asRead = (wire: ReturnType<typeof toWire>): KafkaMessage => ({
  ...base,
  key: Buffer.from(wire.key),
  value: Buffer.from(wire.value),
  headers: Object.fromEntries(Object.entries(wire.headers).map(([name, value]) => [name, Buffer.from(value)])),
});
const storable = fc.string().filter((text) => !text.includes('\0'));

test('an event survives the wire', () => {
  const events = fc.record({
    id: fc.uuid(),
    type: storable,
    key: storable,
    payload: fc.uint8Array(),
    aggregateVersion: fc.option(fc.bigInt({ min: 1n, max: 10n ** 18n - 1n }), { nil: undefined }),
    time: fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
    source: storable,
    headers: fc.constant({ traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }),
  });
  fc.assert(
    fc.property(events, ({ headers, ...event }: WireEvent) => {
      const read = fromWire('topic', asRead(toWire({ ...event, headers })));
      expect(read).toEqual({
        ...event,
        payload: Buffer.from(event.payload),
        topic: 'topic',
        traceparent: headers['traceparent'],
        offset: 7n,
      });
    }),
  );
});

test('whatever a stranger writes is either an event that can be stored or none', () => {
  const headers = fc.record(
    {
      ce_id: fc.oneof(fc.uuid(), fc.string()),
      ce_type: fc.string(),
      ce_aggregateversion: fc.oneof(fc.string(), fc.bigInt().map(String)),
      ce_time: fc.string(),
      traceparent: fc.string(),
      ce_source: fc.string(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(headers, fc.option(fc.string()), (given, key) => {
      const message = {
        ...base,
        key: key === null ? null : Buffer.from(key),
        value: null,
        headers: given,
      } as KafkaMessage;
      const event = fromWire('topic', message);
      if (!event) return;
      expect(event.id).toMatch(/^[0-9a-f-]{36}$/i);
      expect(Number.isNaN(event.time.getTime())).toBe(false);
      expect(`${event.key}${event.type}${event.source}${event.traceparent ?? ''}`).not.toContain('\0');
    }),
  );
});
