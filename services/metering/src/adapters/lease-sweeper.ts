import type { Logger, Startable } from '@daya/nest';
import { purgeMessages } from '@daya/messaging';
import type { DataSource } from 'typeorm';
import type { SweepLeases } from '../application/sweep-leases';

const SWEEP_MS = 1_000;
const PURGE_MS = 86_400_000;

/** Looks at due leases every second, and once a day forgets messages that nobody needs any more. */
export class LeaseSweeper implements Startable {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private purgedMs = Date.now();

  constructor(
    private readonly sweep: SweepLeases,
    private readonly db: DataSource,
    private readonly log: Logger,
  ) {}

  start(): Promise<void> {
    this.arm();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.running;
  }

  private arm(): void {
    this.timer = setTimeout(() => {
      this.running = this.once().finally(() => this.timer && this.arm());
    }, SWEEP_MS);
  }

  /** A database that is away is tried again by the next sweep. */
  private async once(): Promise<void> {
    try {
      await this.sweep.execute();
      if (Date.now() - this.purgedMs < PURGE_MS) return;
      await purgeMessages(this.db);
      this.purgedMs = Date.now();
    } catch (error) {
      this.log.error({ err: error }, 'the sweep failed; it is tried again');
    }
  }
}
