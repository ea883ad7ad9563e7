import type { Clock } from '@daya/kernel';
import { LOG_MAX_AGE_MS, PERMIT_AFTER_END_MS, PERMIT_MAX_AGE_MS } from '../domain/limits';
import type { Counters, LeasePermits, RunLogs } from './ports';

const EVERY_MS = 600_000;

/** Forgets permits and logs that nobody needs any more. Blobs stay: customers own them. */
export class SweepStore {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly permits: LeasePermits,
    private readonly logs: RunLogs,
    private readonly counters: Counters,
    private readonly clock: Clock,
  ) {}

  start(): Promise<void> {
    this.timer = setInterval(
      () => void this.execute().catch((error: unknown) => this.counters.failed('sweep', error)),
      EVERY_MS,
    );
    this.timer.unref();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    clearInterval(this.timer);
    return Promise.resolve();
  }

  /** Returns how many permits and logs went. */
  async execute(): Promise<number> {
    const nowMs = this.clock.now().getTime();
    const before = (ageMs: number): Date => new Date(nowMs - ageMs);
    const permits = await this.permits.sweep(before(PERMIT_AFTER_END_MS), before(PERMIT_MAX_AGE_MS));
    return permits + (await this.logs.sweep(before(LOG_MAX_AGE_MS)));
  }
}
