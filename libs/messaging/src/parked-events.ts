import type { EventInbox, GapReader } from './event-inbox';
import { PARKED_COLUMNS, fromParkedRow, type ParkedRow } from './parked-row';
import { isPassing } from './tries';

const SWEEP_ROWS = 200;

interface Waiting {
  readonly topic: string;
  readonly key: string;
  readonly version: string;
  readonly oldest_ms: number;
}

/** Brings parked events back: those that the replay tool asked for, and those whose predecessor has come. */
export class ParkedEvents {
  private readonly askAgainAt = new Map<string, number>();

  constructor(
    private readonly inbox: EventInbox,
    private readonly onGap: GapReader | undefined,
    private readonly gapPatienceMs: number,
  ) {}

  async sweep(): Promise<void> {
    await this.retryRequested();
    for (const aggregate of await this.movableAggregates()) {
      await this.drain(aggregate);
      if (aggregate.oldest_ms > this.gapPatienceMs) await this.readOwner(aggregate);
    }
  }

  private async retryRequested(): Promise<void> {
    const rows: ParkedRow[] = await this.inbox.db.query(
      `SELECT ${PARKED_COLUMNS} FROM parked WHERE consumer = $1 AND resolve_time IS NULL AND retry_time IS NOT NULL
       ORDER BY aggregate_version NULLS FIRST, event_time LIMIT ${SWEEP_ROWS}`,
      [this.inbox.consumer],
    );
    for (const row of rows) await this.retry(row);
  }

  /** Handles, in order, what waits behind the version that has been reached. */
  private async drain(aggregate: Waiting): Promise<void> {
    for (;;) {
      const [next]: ParkedRow[] = await this.inbox.db.query(
        `SELECT ${PARKED_COLUMNS} FROM parked p WHERE consumer = $1 AND topic = $2 AND key = $3 AND resolve_time IS NULL AND kind = 'GAP'
           AND aggregate_version <= 1 + (SELECT version FROM consumer_aggregate a WHERE (a.consumer, a.topic, a.key) = (p.consumer, p.topic, p.key))
         ORDER BY aggregate_version LIMIT 1`,
        [this.inbox.consumer, aggregate.topic, aggregate.key],
      );
      if (!next || !(await this.retry(next))) break;
    }
    await this.inbox.db.query(
      `UPDATE consumer_aggregate a SET waiting = false WHERE consumer = $1 AND topic = $2 AND key = $3 AND waiting AND NOT EXISTS (
         SELECT 1 FROM parked p WHERE (p.consumer, p.topic, p.key) = (a.consumer, a.topic, a.key) AND p.kind = 'GAP' AND p.resolve_time IS NULL)`,
      [this.inbox.consumer, aggregate.topic, aggregate.key],
    );
  }

  /** True when the event was dealt with. A handler that fails again makes it poison, with the new error. */
  private async retry(row: ParkedRow): Promise<boolean> {
    try {
      return (await this.inbox.retry(row.event_id)) !== undefined;
    } catch (error) {
      if (isPassing(error)) throw error;
      await this.inbox.park(fromParkedRow(row), error, 1);
      return false;
    }
  }

  private async readOwner({ topic, key, version }: Waiting): Promise<void> {
    const name = `${topic} ${key}`;
    if (!this.onGap || Date.now() < (this.askAgainAt.get(name) ?? 0)) return;
    this.askAgainAt.set(name, Date.now() + this.gapPatienceMs);
    const state = await this.onGap({ topic, key, version: BigInt(version) });
    if (!state) return;
    this.askAgainAt.delete(name);
    await this.inbox.adopt(topic, key, state);
    // Those at or below the adopted version, poison included, count as handled: retrying marks them stale.
    const covered: ParkedRow[] = await this.inbox.db.query(
      `SELECT ${PARKED_COLUMNS} FROM parked WHERE consumer = $1 AND topic = $2 AND key = $3 AND resolve_time IS NULL AND aggregate_version <= $4
       ORDER BY aggregate_version`,
      [this.inbox.consumer, topic, key, state.version.toString()],
    );
    for (const row of covered) await this.retry(row);
    await this.drain({ topic, key, version, oldest_ms: 0 });
  }

  /** Those whose next version is here, and, when there is an owner to ask, those that have waited long enough. */
  private movableAggregates(): Promise<Waiting[]> {
    return this.inbox.db.query(
      `SELECT a.topic, a.key, a.version, (extract(epoch FROM clock_timestamp() - min(p.park_time)) * 1000)::float8 AS oldest_ms
       FROM parked p JOIN consumer_aggregate a USING (consumer, topic, key)
       WHERE p.consumer = $1 AND p.resolve_time IS NULL AND p.kind = 'GAP' GROUP BY a.topic, a.key, a.version
       HAVING min(p.aggregate_version) <= a.version + 1 OR ($2 AND min(p.park_time) < clock_timestamp() - $3 * interval '1 millisecond')
       LIMIT ${SWEEP_ROWS}`,
      [this.inbox.consumer, this.onGap !== undefined, this.gapPatienceMs],
    );
  }
}
