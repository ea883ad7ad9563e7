import type { Logger } from 'pino';
import type { DataSource } from 'typeorm';
import { purgeMessages } from './purge';

const EVERY_MS = 3_600_000;

/** Clears published events and old inbox marks once an hour. */
export class MessagePurge {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly db: DataSource,
    private readonly log: Logger,
  ) {}

  start(): Promise<void> {
    this.timer = setInterval(() => {
      this.running = this.running.then(() => this.purge());
    }, EVERY_MS);
    this.timer.unref();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** A failed round is met again by the next. */
  private async purge(): Promise<void> {
    try {
      await purgeMessages(this.db);
    } catch (error) {
      this.log.warn({ err: error }, 'old messages could not be purged');
    }
  }
}
