import type { MarketState } from './market-state';
import type { Doorbell, MarketQueries, Ring } from './ports';

/** How far back queued tasks are looked for; later than any transaction of ours takes to commit. */
const LOOK_BACK_MS = 30_000;

/** Learns what other processes did: jobs they queued, stops they ordered. Also places again when a cool-down has passed. */
export class WatchDatabase {
  constructor(
    private readonly queries: MarketQueries,
    private readonly state: MarketState,
    private readonly doorbell: Doorbell,
  ) {}

  async execute(): Promise<void> {
    const since = new Date(this.state.now().getTime() - LOOK_BACK_MS);
    for (const { job, task } of await this.queries.waitingTasks({ since })) {
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
}
