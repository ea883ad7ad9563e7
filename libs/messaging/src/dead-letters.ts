import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';

const POLL_MS = 200;

export interface ParkedFilter {
  readonly consumer?: string;
  readonly topic?: string;
  readonly eventIds?: readonly string[];
}

export interface ParkedEvent {
  readonly consumer: string;
  readonly eventId: string;
  readonly kind: 'POISON' | 'GAP';
  readonly topic: string;
  readonly key: string;
  readonly type: string;
  readonly reason: string;
  readonly error: string;
  readonly attempts: number;
  readonly parkTime: Date;
}

const FILTER = `resolve_time IS NULL AND ($1::text IS NULL OR consumer = $1) AND ($2::text IS NULL OR topic = $2) AND ($3::uuid[] IS NULL OR event_id = ANY($3))`;
const filterValues = (filter: ParkedFilter): unknown[] => [
  filter.consumer ?? null,
  filter.topic ?? null,
  filter.eventIds ?? null,
];

/** Unresolved parked events, oldest first, at most `limit`. */
export function listParked(db: DataSource, filter: ParkedFilter = {}, limit = 100): Promise<ParkedEvent[]> {
  return db.query(
    `SELECT consumer, event_id AS "eventId", kind, topic, key, type, reason, error, attempts, park_time AS "parkTime"
     FROM parked WHERE ${FILTER} ORDER BY park_time LIMIT $4`,
    [...filterValues(filter), limit],
  );
}

/**
 * The replay tool: asks the running consumer to handle parked poison again, with the same ids, and waits up to `waitMs`
 * for it. Events that waited behind them follow by themselves. `left` are those that failed again or were not reached.
 */
export async function replayDeadLetters(
  options: ParkedFilter & { readonly db: DataSource; readonly waitMs?: number },
): Promise<{ requested: number; resolved: number; left: number }> {
  const { db, waitMs = 10_000, ...filter } = options;
  const [rows]: [{ consumer: string; event_id: string }[], number] = await db.query(
    `UPDATE parked SET retry_time = clock_timestamp() WHERE kind = 'POISON' AND ${FILTER} RETURNING consumer, event_id`,
    filterValues(filter),
  );
  const giveUpAt = Date.now() + waitMs;
  for (;;) {
    const [counts]: { resolved: number; pending: number }[] = await db.query(
      `SELECT count(*) FILTER (WHERE resolve_time IS NOT NULL)::int AS resolved,
         count(*) FILTER (WHERE resolve_time IS NULL AND retry_time IS NOT NULL)::int AS pending
       FROM parked WHERE (consumer, event_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))`,
      [rows.map((row) => row.consumer), rows.map((row) => row.event_id)],
    );
    const { resolved, pending } = counts ?? { resolved: 0, pending: 0 };
    if (pending === 0 || Date.now() >= giveUpAt)
      return { requested: rows.length, resolved, left: rows.length - resolved };
    await sleep(POLL_MS);
  }
}
