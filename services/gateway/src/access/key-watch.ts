import { DomainError } from '@daya/kernel';
import { KEY_GRACE_MS, KEY_RECHECK_MS } from '../limits';
import type { KeyRing } from './key-ring';

interface Watched {
  readonly controllers: Set<AbortController>;
  lastGoodMs: number;
}

/** Asks again and again about the keys of open streams, and ends the streams of those that are no longer good. */
export class KeyWatch {
  private readonly watched = new Map<string, Watched>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly keys: KeyRing,
    private readonly nowMs: () => number = Date.now,
  ) {}

  start(): Promise<void> {
    this.timer = setInterval(() => void this.checkAll(), KEY_RECHECK_MS);
    this.timer.unref();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    clearInterval(this.timer);
    return Promise.resolve();
  }

  /** Aborts `controller` with the refusal when the key is refused; the returned function ends the watch. */
  watch(secret: string, controller: AbortController): () => void {
    const entry = this.watched.get(secret) ?? { controllers: new Set(), lastGoodMs: this.nowMs() };
    this.watched.set(secret, entry);
    entry.controllers.add(controller);
    return () => {
      entry.controllers.delete(controller);
      if (entry.controllers.size === 0 && this.watched.get(secret) === entry) this.watched.delete(secret);
    };
  }

  private async checkAll(): Promise<void> {
    await Promise.all([...this.watched].map(([secret, entry]) => this.check(secret, entry)));
  }

  private async check(secret: string, entry: Watched): Promise<void> {
    try {
      await this.keys.authenticate(secret);
      entry.lastGoodMs = this.nowMs();
    } catch (error) {
      const isOutage = error instanceof DomainError && error.kind === 'unavailable';
      if (isOutage && this.nowMs() - entry.lastGoodMs < KEY_GRACE_MS) return;
      for (const controller of entry.controllers) controller.abort(error);
    }
  }
}
