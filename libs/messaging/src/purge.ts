import type { DataSource } from 'typeorm';
import { TOPIC_RETENTION_MS } from './kafka-admin';

export const OUTBOX_RETENTION_MS = 7 * 86_400_000;
/** Longer than any topic keeps messages: a replay of the whole topic still finds the marks of what was handled. */
export const INBOX_RETENTION_MS = TOPIC_RETENTION_MS + 15 * 86_400_000;
const ROWS_AT_ONCE = 5_000;

export interface PurgeOptions {
  readonly outboxRetentionMs?: number;
  readonly inboxRetentionMs?: number;
  /** Per table and call; 50,000 when absent. */
  readonly rowsMax?: number;
}

/** One bounded round of the clean-up: published outbox rows, old inbox marks, resolved parked events. For a sweeper. */
export async function purgeMessages(
  db: DataSource,
  options: PurgeOptions = {},
): Promise<{ outbox: number; inbox: number; parked: number }> {
  const { outboxRetentionMs = OUTBOX_RETENTION_MS, inboxRetentionMs = INBOX_RETENTION_MS, rowsMax = 50_000 } = options;
  if (inboxRetentionMs < TOPIC_RETENTION_MS) throw new Error('inbox marks must outlive the topics');
  return {
    outbox: await purge(db, 'outbox', 'publish_time', outboxRetentionMs, rowsMax),
    inbox: await purge(db, 'inbox', 'process_time', inboxRetentionMs, rowsMax),
    parked: await purge(db, 'parked', 'resolve_time', inboxRetentionMs, rowsMax),
  };
}

async function purge(
  db: DataSource,
  table: string,
  column: string,
  olderThanMs: number,
  rowsMax: number,
): Promise<number> {
  let purged = 0;
  while (purged < rowsMax) {
    const [, count]: [unknown, number] = await db.query(
      `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${table}
         WHERE ${column} < clock_timestamp() - $1 * interval '1 millisecond' ORDER BY ${column} LIMIT $2))`,
      [olderThanMs, Math.min(ROWS_AT_ONCE, rowsMax - purged)],
    );
    purged += count;
    if (count < ROWS_AT_ONCE) break;
  }
  return purged;
}
