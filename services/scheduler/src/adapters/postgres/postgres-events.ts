import { randomUUID } from 'node:crypto';
import { traceparent } from '@daya/nest';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { SchedulerEvent } from '../../domain/events';
import { toOutboxRecord } from '../proto-events';

/** The outbox of one transaction. A batch of leases is one statement, not one for each event. */
export class PostgresEvents {
  constructor(private readonly em: EntityManager) {}

  async append(events: readonly SchedulerEvent[]): Promise<void> {
    if (events.length === 0) return;
    const records = events.map(toOutboxRecord);
    const trace = traceparent();
    await write(
      this.em,
      `INSERT INTO outbox (event_id, topic, key, type, payload, aggregate_version, headers)
       SELECT event_id, topic, key, type, payload, aggregate_version, $7::jsonb
       FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bigint[])
         WITH ORDINALITY AS n (event_id, topic, key, type, payload, aggregate_version, place) ORDER BY place`,
      [
        records.map(() => randomUUID()),
        records.map((one) => one.topic),
        records.map((one) => one.key),
        records.map((one) => one.type),
        records.map((one) => Buffer.from(one.payload)),
        records.map((one) => one.version.toString()),
        JSON.stringify(trace ? { traceparent: trace } : {}),
      ],
    );
  }
}
