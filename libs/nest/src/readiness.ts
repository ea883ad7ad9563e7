import type { Logger } from './telemetry/logger';

const CHECK_EVERY_MS = 2_000;

/**
 * Asks a service's own check (its database, never its peers) again and again, and tells when the answer changes.
 * A check that hangs counts as failed until it answers.
 */
export class Readiness {
  private reason: string | undefined = 'starting';
  private timer: NodeJS.Timeout | undefined;
  private running = false;

  constructor(
    private readonly check: (() => Promise<void>) | undefined,
    private readonly onChange: (ready: boolean) => void,
    private readonly log: Logger,
  ) {}

  notReady(): string | undefined {
    return this.reason;
  }

  async start(): Promise<void> {
    await this.ask();
    if (this.check === undefined) return;
    this.timer = setInterval(() => void this.ask(), CHECK_EVERY_MS);
    this.timer.unref();
  }

  /** From here on not ready, whatever the check says. */
  stop(): void {
    clearInterval(this.timer);
    this.running = true;
    this.set('stopping');
  }

  private async ask(): Promise<void> {
    if (this.running) return this.set('the readiness check does not answer');
    this.running = true;
    try {
      await this.check?.();
      if (this.reason !== 'stopping') this.set(undefined);
    } catch (error) {
      if (this.reason !== 'stopping') this.set('the readiness check fails');
      this.log.warn({ err: error }, 'not ready');
    } finally {
      if (this.reason !== 'stopping') this.running = false;
    }
  }

  private set(reason: string | undefined): void {
    const changed = (this.reason === undefined) !== (reason === undefined);
    this.reason = reason;
    if (changed) this.onChange(reason === undefined);
  }
}
