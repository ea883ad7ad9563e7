import type { MarketState } from './market-state';
import type { Doorbell, MarketQueries, Ring } from './ports';

/** How far back queued tasks are looked for at times; later than any transaction of ours takes to commit. */
const LOOK_BACK_MS = 30_000;
/** How far back from the last look, which is enough for nearly all of them: a backlog is long and mostly known. */
const GRACE_MS = 2_000;
const LONG_LOOK_EVERY = 10;

/** Learns what other processes did: jobs they queued, stops they ordered. Also places again when a cool-down has passed. */
export class WatchDatabase {
  private looks = 0;
  private lookedAtMs = 0;

  constructor(
    private readonly queries: MarketQueries,
    private readonly state: MarketState,
    private readonly doorbell: Doorbell,
  ) {}

  async execute(): Promise<void> {
    for (const { job, task } of await this.queries.waitingTasks({ since: this.lookFrom() })) {
      if (!this.state.waiting.has(task.taskId)) this.state.addWaiting(job, [task]);
    }
    const rings: Ring[] = [];
    for (const { leaseId, stopReason } of await this.queries.stopOrders()) {
      const known = this.state.book.get(leaseId)?.stopReason !== undefined;
      const ring = known ? undefined : this.state.stop(leaseId, stopReason);
      if (ring) rings.push(ring);
    }
    if (rings.length > 0) await this.doorbell.ring(rings);
    if (this.state.waiting.size > 0) this.state.wake();
  }

  private lookFrom(): Date {
    const nowMs = this.state.now().getTime();
    const isLong = this.looks % LONG_LOOK_EVERY === 0;
    const since = new Date(isLong ? nowMs - LOOK_BACK_MS : this.lookedAtMs - GRACE_MS);
    this.looks += 1;
    this.lookedAtMs = nowMs;
    return since;
  }
}
