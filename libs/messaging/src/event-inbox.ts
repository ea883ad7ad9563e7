import { randomUUID } from 'node:crypto';
import { DomainError } from '@daya/kernel';
import { inTransaction, write } from '@daya/postgres';
import type { DataSource, EntityManager } from 'typeorm';
import { PAYLOAD_BYTES_MAX } from './append-event';
import type { EventEnvelope, EventHandler } from './event';
import { deadTopic } from './kafka-admin';
import { PARKED_COLUMNS, fromParkedRow, type ParkedRow } from './parked-row';

/** What became of an event: `stale` is one whose effect the owner's state already brought, `waiting` one whose predecessor is missing. */
export type Outcome = 'handled' | 'ignored' | 'duplicate' | 'stale' | 'waiting';

export interface Applied {
  readonly outcome: Outcome;
  /** Later events of the aggregate are parked behind this one. */
  readonly othersWait: boolean;
}

/** The owner's state of an aggregate: the version it stands for, and how to store it. */
export interface OwnerState {
  readonly version: bigint;
  readonly apply: (em: EntityManager) => Promise<void>;
}

/** Asks the owner (a call outside any transaction); undefined when the owner cannot say either. */
export type GapReader = (aggregate: {
  readonly topic: string;
  readonly key: string;
  readonly version: bigint;
}) => Promise<OwnerState | undefined>;

interface Progress {
  readonly version: bigint;
  readonly waiting: boolean;
}

/** The database side of one consumer: what it has handled, in which order, and what it has put aside. */
export class EventInbox {
  constructor(
    readonly db: DataSource,
    readonly consumer: string,
    private readonly handlers: Readonly<Record<string, EventHandler>>,
  ) {}

  /**
   * Handles a delivered event once. Throws what its handler throws; nothing is written then. Nearly every event is its
   * aggregate's next one and new: one statement finds and marks that, and is all for an event without a handler.
   */
  async apply(event: EventEnvelope): Promise<Applied> {
    const handler = this.handlers[event.type];
    if (handler === undefined) {
      const [next] = await this.markNext(this.db, event);
      if (next) return { outcome: 'ignored', othersWait: next.waiting };
    }
    return inTransaction(this.db, async (em) => {
      const [next] = handler ? await this.markNext(em, event) : [];
      if (!next) return this.applyOther(em, event);
      await handler?.(event, em);
      return { outcome: 'handled', othersWait: next.waiting };
    });
  }

  /** An event that is not, or not certainly, the next of its aggregate. */
  private async applyOther(em: EntityManager, event: EventEnvelope): Promise<Applied> {
    const progress = await this.lockProgress(em, event);
    const [known]: { seen: boolean; parked: boolean }[] = await em.query(
      `SELECT EXISTS (SELECT 1 FROM inbox WHERE consumer = $1 AND event_id = $2) AS seen,
           EXISTS (SELECT 1 FROM parked WHERE consumer = $1 AND event_id = $2 AND resolve_time IS NULL) AS parked`,
      [this.consumer, event.id],
    );
    if (known?.seen || known?.parked) return { outcome: 'duplicate', othersWait: false };
    if (isGap(event, progress)) {
      await this.setAside(em, event);
      return { outcome: 'waiting', othersWait: false };
    }
    return this.handle(em, event, progress);
  }

  /**
   * Marks an event as handled if it is its aggregate's next one and not parked; no row when it is not. A replica that parks
   * it in this very moment does no harm: whoever brings it back finds the mark.
   */
  private markNext(
    on: Pick<EntityManager, 'query'>,
    { id, topic, key, aggregateVersion }: EventEnvelope,
  ): Promise<{ waiting: boolean }[]> {
    if (aggregateVersion === undefined) return Promise.resolve([]);
    return on.query(
      `WITH moved AS (
         INSERT INTO consumer_aggregate AS a (consumer, topic, key, version) SELECT $1, $3, $4, $5::bigint
         WHERE ($5::bigint = 1 OR EXISTS (SELECT 1 FROM consumer_aggregate WHERE consumer = $1 AND topic = $3 AND key = $4))
           AND NOT EXISTS (SELECT 1 FROM parked WHERE consumer = $1 AND event_id = $2::uuid AND resolve_time IS NULL)
         ON CONFLICT (consumer, topic, key) DO UPDATE SET version = excluded.version WHERE a.version = excluded.version - 1
         RETURNING waiting),
       marked AS (
         INSERT INTO inbox (consumer, event_id, topic, key, aggregate_version) SELECT $1, $2::uuid, $3, $4, $5::bigint FROM moved)
       SELECT waiting FROM moved`,
      [this.consumer, id, topic, key, aggregateVersion.toString()],
    );
  }

  /** Handles a parked event; undefined when another replica is at it, or it was resolved, or it must still wait. */
  retry(eventId: string): Promise<Applied | undefined> {
    return inTransaction(this.db, async (em) => {
      const [row]: ParkedRow[] = await em.query(
        `SELECT ${PARKED_COLUMNS} FROM parked WHERE consumer = $1 AND event_id = $2 AND resolve_time IS NULL FOR UPDATE SKIP LOCKED`,
        [this.consumer, eventId],
      );
      if (!row) return undefined;
      const event = fromParkedRow(row);
      const progress = await this.lockProgress(em, event);
      if (isGap(event, progress)) return undefined;
      const applied = await this.handle(em, event, progress);
      await write(em, `UPDATE parked SET resolve_time = clock_timestamp() WHERE consumer = $1 AND event_id = $2`, [
        this.consumer,
        eventId,
      ]);
      return applied;
    });
  }

  /** Puts a poison event aside and tells of it on `<topic>.dead`, in one transaction. */
  park(event: EventEnvelope, error: unknown, attempts: number): Promise<void> {
    return inTransaction(this.db, async (em) => {
      const reason = error instanceof DomainError ? error.reason : 'HANDLER_FAILED';
      await this.lockProgress(em, event);
      await this.insertParked(em, event, 'POISON', reason, String(error).replaceAll('\0', ''), attempts);
      const headers = {
        daya_consumer: this.consumer,
        daya_event_id: event.id,
        daya_reason: reason,
        daya_attempts: String(attempts),
      };
      // The whole event stays in `parked`; on Kafka one that is too large would block the relay.
      const payload = event.payload.length > PAYLOAD_BYTES_MAX ? Buffer.alloc(0) : Buffer.from(event.payload);
      await write(
        em,
        `INSERT INTO outbox (event_id, topic, key, type, payload, headers) VALUES ($1, $2, $3, $4, $5, $6)`,
        [randomUUID(), deadTopic(event.topic), event.key, event.type, payload, headers],
      );
    });
  }

  /** Takes over what the owner says about an aggregate; events up to that version count as handled. */
  adopt(topic: string, key: string, state: OwnerState): Promise<void> {
    return inTransaction(this.db, async (em) => {
      const progress = await this.lockProgress(em, { topic, key, aggregateVersion: state.version });
      if (progress === undefined || progress.version >= state.version) return;
      await state.apply(em);
      await write(em, `UPDATE consumer_aggregate SET version = $4 WHERE consumer = $1 AND topic = $2 AND key = $3`, [
        this.consumer,
        topic,
        key,
        state.version.toString(),
      ]);
    });
  }

  /** Events that are parked and unresolved. */
  async openParked(): Promise<{ POISON: number; GAP: number }> {
    const rows: { kind: 'POISON' | 'GAP'; count: number }[] = await this.db.query(
      `SELECT kind, count(*)::int AS count FROM parked WHERE consumer = $1 AND resolve_time IS NULL GROUP BY kind`,
      [this.consumer],
    );
    return { POISON: 0, GAP: 0, ...Object.fromEntries(rows.map((row) => [row.kind, row.count])) };
  }

  private async handle(em: EntityManager, event: EventEnvelope, progress: Progress | undefined): Promise<Applied> {
    const fresh: unknown[] = await em.query(
      `INSERT INTO inbox (consumer, event_id, topic, key, aggregate_version) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (consumer, event_id) DO NOTHING RETURNING 1`,
      [this.consumer, event.id, event.topic, event.key, event.aggregateVersion?.toString() ?? null],
    );
    // Another consumer of this group (one that lost the partition) was faster.
    if (fresh.length === 0) return { outcome: 'duplicate', othersWait: false };
    const othersWait = progress?.waiting ?? false;
    if (progress !== undefined && event.aggregateVersion !== undefined) {
      if (event.aggregateVersion <= progress.version) return { outcome: 'stale', othersWait };
      await write(em, `UPDATE consumer_aggregate SET version = $4 WHERE consumer = $1 AND topic = $2 AND key = $3`, [
        this.consumer,
        event.topic,
        event.key,
        event.aggregateVersion.toString(),
      ]);
    }
    const handler = this.handlers[event.type];
    await handler?.(event, em);
    return { outcome: handler ? 'handled' : 'ignored', othersWait };
  }

  /** The row lock makes this consumer's replicas take turns per aggregate. Undefined for events without a version. */
  private async lockProgress(
    em: EntityManager,
    event: Pick<EventEnvelope, 'topic' | 'key' | 'aggregateVersion'>,
  ): Promise<Progress | undefined> {
    if (event.aggregateVersion === undefined) return undefined;
    const aggregate = [this.consumer, event.topic, event.key];
    const lock = (): Promise<{ version: string; waiting: boolean }[]> =>
      em.query(
        `SELECT version, waiting FROM consumer_aggregate WHERE consumer = $1 AND topic = $2 AND key = $3 FOR UPDATE`,
        aggregate,
      );
    let [row] = await lock();
    if (!row) {
      await write(
        em,
        `INSERT INTO consumer_aggregate (consumer, topic, key, version) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING`,
        aggregate,
      );
      [row] = await lock();
    }
    if (!row) throw new Error(`no progress row of ${aggregate.join(' ')}`);
    return { version: BigInt(row.version), waiting: row.waiting };
  }

  private async setAside(em: EntityManager, event: EventEnvelope): Promise<void> {
    await this.insertParked(em, event, 'GAP', 'EARLIER_VERSION_MISSING', '', 0);
    await write(em, `UPDATE consumer_aggregate SET waiting = true WHERE consumer = $1 AND topic = $2 AND key = $3`, [
      this.consumer,
      event.topic,
      event.key,
    ]);
  }

  private async insertParked(
    em: EntityManager,
    event: EventEnvelope,
    kind: 'POISON' | 'GAP',
    reason: string,
    error: string,
    attempts: number,
  ): Promise<void> {
    await write(
      em,
      `INSERT INTO parked AS p (consumer, event_id, kind, topic, key, type, aggregate_version, payload, headers, source, event_time, reason, error, attempts)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (consumer, event_id) DO UPDATE SET
         kind = excluded.kind, reason = excluded.reason, error = excluded.error, attempts = p.attempts + excluded.attempts, retry_time = NULL`,
      [
        this.consumer,
        event.id,
        kind,
        event.topic,
        event.key,
        event.type,
        event.aggregateVersion?.toString() ?? null,
        Buffer.from(event.payload),
        event.traceparent ? { traceparent: event.traceparent } : {},
        event.source,
        event.time,
        reason,
        error,
        attempts,
      ],
    );
  }
}

const isGap = (event: EventEnvelope, progress: Progress | undefined): boolean =>
  progress !== undefined && event.aggregateVersion !== undefined && event.aggregateVersion > progress.version + 1n;
