import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';

const RECONNECT_MS = 500;

interface ListeningClient {
  on(event: 'notification' | 'error' | 'end', listener: () => void): unknown;
  query(sql: string): Promise<unknown>;
  end(): Promise<void>;
}

/** Wakes a loop when Postgres notifies a channel. It only shortens the wait: the loop polls as well. */
export class Doorbell {
  private rung = false;
  private wake: (() => void) | undefined;
  private client: ListeningClient | undefined;
  private runner: QueryRunner | undefined;
  private retry: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly db: DataSource,
    private readonly channel: string,
  ) {}

  /** Starts listening and keeps at it after lost connections; never throws. */
  async open(): Promise<void> {
    const runner = this.db.createQueryRunner();
    try {
      const client = (await runner.connect()) as ListeningClient;
      this.runner = runner;
      this.client = client;
      client.on('notification', () => this.ring());
      client.on('error', () => this.reopen(runner));
      client.on('end', () => this.reopen(runner));
      await client.query(`LISTEN ${this.channel}`);
      this.ring();
    } catch {
      this.reopen(runner);
    }
  }

  ring(): void {
    this.rung = true;
    this.wake?.();
  }

  /**
   * Resolves after `ms`, or `gatherMs` after the next ring (one that came since the last wait counts): whatever rings
   * meanwhile is answered together with it.
   */
  async wait(ms: number, gatherMs = 0): Promise<void> {
    if (!this.rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.wake = undefined;
    if (this.rung && gatherMs > 0 && !this.closed) await sleep(gatherMs);
    this.rung = false;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    this.ring();
    // Closed, not pooled: a stranger must not inherit the subscription.
    await this.client?.end().catch(() => undefined);
    if (this.runner && !this.runner.isReleased) await this.runner.release();
  }

  private reopen(runner: QueryRunner): void {
    if (this.closed || (this.runner !== runner && this.runner !== undefined)) return;
    this.runner = undefined;
    this.client = undefined;
    if (!runner.isReleased) void runner.release().catch(() => undefined);
    clearTimeout(this.retry);
    this.retry = setTimeout(() => void this.open(), RECONNECT_MS);
    this.retry.unref();
  }
}
