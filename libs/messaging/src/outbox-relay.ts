import { inTransaction, write } from '@daya/postgres';
import type { DataSource, EntityManager } from 'typeorm';
import { Doorbell } from './doorbell';
import type { Kafka } from './kafka';
import type { KafkaPublisher } from './kafka-publisher';
import { outboxOldestSeconds, outboxPublished, relayFailures } from './metrics';
import { toWire, type WireMessage } from './wire';

const BATCH_ROWS = 500;
const BATCH_BYTES = 512 * 1024;
/** How long an event waits for company: one request to Kafka costs more than its messages. */
const GATHER_MS = 100;
/** The fallback when a notification was lost. */
const POLL_MS = 500;
const BACKOFF_MS = { first: 100, max: 2_000 };
const STATISTICS_MS = 2_000;

export interface OutboxRelayOptions {
  /** The system role's data source. */
  readonly db: DataSource;
  readonly kafka: Kafka;
  /** `ce_source` of the events; the Kafka client id when absent. */
  readonly source?: string;
}

interface OutboxRow {
  readonly position: string;
  readonly event_id: string;
  readonly topic: string;
  readonly key: string;
  readonly type: string;
  readonly payload: Buffer;
  readonly aggregate_version: string | null;
  readonly headers: Record<string, string>;
  readonly create_time: Date;
}

/**
 * Publishes the outbox in order, one relay per database at a time (advisory lock; the others stand by). Every committed
 * event reaches Kafka at least once: a crash between send and mark sends again, and inboxes absorb it. It polls for rows
 * without `publish_time`, never by a cursor, since positions are given before commit.
 */
export class OutboxRelay {
  private readonly source: string;
  private readonly bell: Doorbell;
  private readonly publisher: KafkaPublisher;
  private loop: Promise<void> | undefined;
  private stopping = false;
  private statisticsAt = 0;
  private readonly knownTopics = new Set<string>();

  constructor(private readonly options: OutboxRelayOptions) {
    this.source = options.source ?? options.kafka.clientId;
    this.bell = new Doorbell(options.db, 'outbox');
    this.publisher = options.kafka.producer();
  }

  async start(): Promise<void> {
    this.stopping = false;
    await this.bell.open();
    this.loop = this.run();
  }

  /** Finishes the batch under way. What is left waits for the next start. */
  async stop(): Promise<void> {
    this.stopping = true;
    await this.bell.close();
    await this.loop;
    await this.publisher.stop();
  }

  /** Sends one batch: how many, and whether more may follow at once. None while another relay holds the lock. */
  relayOnce(): Promise<{ readonly sent: number; readonly more: boolean }> {
    // The one place where a network call sits inside a transaction; the publisher gives up after 10 s.
    return inTransaction(this.options.db, async (em) => {
      const { rows, more } = await lockedBatch(em);
      if (rows.length === 0) return { sent: 0, more };
      await this.ensureTopics(rows);
      await this.publisher.publishAll(runsOfOneTopic(rows, this.source));
      await write(em, `UPDATE outbox SET publish_time = clock_timestamp() WHERE position = ANY($1::bigint[])`, [
        rows.map((row) => row.position),
      ]);
      return { sent: rows.length, more };
    });
  }

  /** Once per topic and process: a missing topic would hold up all others. */
  private async ensureTopics(rows: readonly OutboxRow[]): Promise<void> {
    const fresh = [...new Set(rows.map((row) => row.topic))].filter((topic) => !this.knownTopics.has(topic));
    if (fresh.length === 0) return;
    await this.options.kafka.admin().ensureTopics(fresh.map((name) => ({ name })));
    fresh.forEach((topic) => this.knownTopics.add(topic));
  }

  private async run(): Promise<void> {
    await this.publisher.start();
    let backoffMs = BACKOFF_MS.first;
    while (!this.stopping) {
      try {
        const { sent, more } = await this.relayOnce();
        outboxPublished.inc({ source: this.source }, sent);
        backoffMs = BACKOFF_MS.first;
        await this.statistics();
        if (!more && !this.stopping) await this.bell.wait(POLL_MS, GATHER_MS);
      } catch (error) {
        relayFailures.inc({ source: this.source });
        this.options.kafka.logger.warn({ err: error }, 'the outbox could not be relayed; trying again');
        await this.pause(backoffMs);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.max);
        await this.statistics().catch(() => undefined);
      }
    }
  }

  /** Failures wait their time even while new events ring. */
  private async pause(ms: number): Promise<void> {
    const until = Date.now() + ms;
    while (!this.stopping && Date.now() < until) await this.bell.wait(until - Date.now());
  }

  private async statistics(): Promise<void> {
    if (Date.now() - this.statisticsAt < STATISTICS_MS) return;
    this.statisticsAt = Date.now();
    const [oldest]: { seconds: number }[] = await this.options.db.query(
      `SELECT extract(epoch FROM clock_timestamp() - create_time)::float8 AS seconds FROM outbox
       WHERE publish_time IS NULL ORDER BY position LIMIT 1`,
    );
    outboxOldestSeconds.set({ source: this.source }, oldest?.seconds ?? 0);
  }
}

/**
 * Locks and reads in one statement. Its snapshot may be older than the lock: what another relay published in that very
 * moment is sent twice, as after a crash.
 */
async function lockedBatch(em: EntityManager): Promise<{ rows: OutboxRow[]; more: boolean }> {
  const rows: OutboxRow[] = await em.query(
    `WITH leader AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(hashtext('outbox-relay')) AS locked)
     SELECT position, event_id, topic, key, type, payload, aggregate_version, headers, create_time
     FROM outbox WHERE publish_time IS NULL AND (SELECT locked FROM leader) ORDER BY position LIMIT ${BATCH_ROWS}`,
  );
  let bytes = 0;
  const end = rows.findIndex((row, index) => (bytes += row.payload.length) > BATCH_BYTES && index > 0);
  return { rows: end === -1 ? rows : rows.slice(0, end), more: end !== -1 || rows.length === BATCH_ROWS };
}

/** All messages of a topic together; order matters per key only, and a key has one topic. */
function runsOfOneTopic(rows: readonly OutboxRow[], source: string): { topic: string; messages: WireMessage[] }[] {
  const byTopic = new Map<string, WireMessage[]>();
  for (const row of rows) {
    const messages = byTopic.get(row.topic) ?? [];
    byTopic.set(row.topic, messages);
    messages.push(
      toWire({
        id: row.event_id,
        type: row.type,
        key: row.key,
        payload: row.payload,
        aggregateVersion: row.aggregate_version === null ? undefined : BigInt(row.aggregate_version),
        time: row.create_time,
        source,
        headers: row.headers,
      }),
    );
  }
  return [...byTopic].map(([topic, messages]) => ({ topic, messages }));
}
