import type { Logger, Startable } from '@daya/nest';
import type { AdmitNodes } from '../application/admit-nodes';
import type { AnnounceNodes } from '../application/announce-nodes';
import { CanaryBell } from '../application/report-inventory';

const POLL_MS = 500;

/** Looks for due canaries every half second, and at once when an inventory came in. */
export class Sweeper extends CanaryBell implements Startable {
  private stopping = false;
  private loop: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;
  private rung = false;

  constructor(
    private readonly admit: AdmitNodes,
    private readonly announce: AnnounceNodes,
    private readonly log: Logger,
  ) {
    super();
  }

  override ring(): void {
    this.rung = true;
    this.wake();
  }

  start(): Promise<void> {
    this.loop = this.run();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.loop;
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      this.rung = false;
      await this.sweep();
      if (!this.stopping && !this.rung) await this.pause();
    }
  }

  /** A failing sweep is tried again at the next: everything it does is due until it is done. */
  private async sweep(): Promise<void> {
    try {
      const { failures } = await this.admit.execute();
      for (const err of failures) this.log.info({ err }, 'a canary could not be submitted; trying again');
      await this.announce.execute();
    } catch (err) {
      this.log.warn({ err }, 'the sweep failed; trying again');
    }
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
