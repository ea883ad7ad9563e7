import { JobFeed } from '../application/ports';

/** Changes that this process made; watchers poll for the others'. */
export class LocalJobFeed extends JobFeed {
  private readonly waiting = new Map<string, Set<() => void>>();

  override changed(jobIds: Iterable<string>): void {
    for (const jobId of jobIds) for (const wake of this.waiting.get(jobId) ?? []) wake();
  }

  override wait(jobId: string, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const listeners = this.waiting.get(jobId) ?? new Set();
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        listeners.delete(wake);
        if (listeners.size === 0) this.waiting.delete(jobId);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', wake, { once: true });
      this.waiting.set(jobId, listeners.add(wake));
    });
  }
}
