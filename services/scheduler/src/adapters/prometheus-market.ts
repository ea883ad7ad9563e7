import { metrics } from '@daya/nest';
import { Gauge } from 'prom-client';
import type { MarketState } from '../application/market-state';

const watched = new Set<MarketState>();

/** A gauge over all markets of this process: one, except in tests. */
const gauge = (name: string, help: string, of: (state: MarketState) => number): Gauge =>
  new Gauge({
    name: `daya_scheduler_${name}`,
    help,
    registers: [metrics],
    collect() {
      this.set([...watched].reduce((sum, state) => sum + of(state), 0));
    },
  });

gauge('leading', '1 while this process is the writer of leases', (state) => (state.isLeading ? 1 : 0));
gauge('waiting_tasks', 'Tasks that wait for a place', (state) => state.waiting.size);
gauge('oldest_waiting_task_seconds', 'How long ago the job of the task that waits first was submitted', (state) => {
  const [first] = state.waiting.values();
  return first === undefined ? 0 : (state.now().getTime() - first.job.createTime.getTime()) / 1_000;
});
gauge('open_leases', 'Leases that still take GPUs, quarantined ones too', (state) => state.book.size);
gauge('known_nodes', 'Nodes that are in the market', (state) => state.market.nodeCount);
gauge('available_nodes', 'Nodes that are heard of and take new work', (state) => state.market.availableCount);

/** What an operator alerts on: is anything waiting, is anybody there. */
export class MarketMetrics {
  constructor(private readonly state: MarketState) {}

  start(): Promise<void> {
    watched.add(this.state);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    watched.delete(this.state);
    return Promise.resolve();
  }
}
