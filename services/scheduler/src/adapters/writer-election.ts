import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchConsumer } from '@daya/messaging';
import type { Logger } from '@daya/nest';
import type { DataSource, QueryRunner } from 'typeorm';
import type { Engine } from '../application/engine';

const RETRY_MS = 250;
const LOCK = `hashtext('scheduler-writer')`;
const SHARD = 0;

export interface WriterElectionParts {
  readonly db: DataSource;
  readonly engine: Engine;
  /** Feeds the market; runs only where the writer is. */
  readonly projection: () => BatchConsumer;
  /** Keeps a standby's market fresh enough for quotes. */
  readonly refresh: () => Promise<void>;
  readonly refreshEveryMs: number;
  readonly log: Logger;
}

/**
 * Makes this process the one writer of leases while it holds an advisory lock. A new writer first moves the range on,
 * which waits for batches under way and makes every later batch of the old writer fail; the lock only keeps two processes
 * from fencing each other in turns.
 */
export class WriterElection {
  private readonly over = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(private readonly parts: WriterElectionParts) {}

  start(): Promise<void> {
    this.loop = this.run();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.loop;
  }

  private async run(): Promise<void> {
    let refreshAtMs = 0;
    while (!this.over.signal.aborted) {
      try {
        const led = await this.tryLead();
        if (!led && Date.now() >= refreshAtMs) {
          await this.parts.refresh();
          refreshAtMs = Date.now() + this.parts.refreshEveryMs;
        }
      } catch (error) {
        this.parts.log.warn({ err: error }, 'the term as writer ended; a new one begins');
      }
      await sleep(RETRY_MS, undefined, { signal: this.over.signal }).catch(() => undefined);
    }
  }

  /** Returns false at once while another process is the writer. */
  private async tryLead(): Promise<boolean> {
    const guard = this.parts.db.createQueryRunner();
    try {
      const [row]: { locked: boolean }[] = await guard.query(`SELECT pg_try_advisory_lock(${LOCK}) AS locked`);
      if (!row?.locked) return false;
      await this.lead(guard);
      return true;
    } finally {
      await letGo(guard);
    }
  }

  private async lead(guard: QueryRunner): Promise<void> {
    const [rows]: [{ range_id: string }[], number] = await guard.query(
      `UPDATE placement_range SET range_id = range_id + 1 WHERE shard = $1 RETURNING range_id`,
      [SHARD],
    );
    const rangeId = BigInt(rows[0]?.range_id ?? 0);
    const projection = this.parts.projection();
    this.parts.log.info({ rangeId: rangeId.toString() }, 'this process writes leases now');
    try {
      await this.parts.engine.lead(rangeId, this.over.signal, () => projection.start());
    } finally {
      await projection.stop();
    }
  }
}

/** The lock must not survive in the pool: the connection is closed when it cannot be unlocked. */
async function letGo(guard: QueryRunner): Promise<void> {
  await guard.query(`SELECT pg_advisory_unlock_all()`).catch(async () => {
    const connection = (await guard.connect().catch(() => undefined)) as { end(): Promise<void> } | undefined;
    await connection?.end().catch(() => undefined);
  });
  if (!guard.isReleased) await guard.release().catch(() => undefined);
}
