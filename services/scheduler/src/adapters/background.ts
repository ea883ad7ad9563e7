import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '@daya/nest';

/** Repeats a step until `stop`, which aborts the step's signal; one that fails is tried again at the next turn. */
export class Background {
  private readonly over = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(
    private readonly what: string,
    private readonly everyMs: number,
    private readonly step: (signal: AbortSignal) => Promise<unknown>,
    private readonly log: Logger,
  ) {}

  start(): Promise<void> {
    this.loop = this.run();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.over.abort();
    await this.loop;
  }

  private async run(): Promise<void> {
    while (!this.over.signal.aborted) {
      await this.step(this.over.signal).catch((error: unknown) =>
        this.log.warn({ err: error }, `${this.what} failed; it is tried again`),
      );
      await sleep(this.everyMs, undefined, { signal: this.over.signal }).catch(() => undefined);
    }
  }
}
