import type { MarketState } from './market-state';
import type { MarketQueries } from './ports';

/** Reads the whole market into memory: at the start of a writer, and now and then where another process is the writer. */
export class LoadMarket {
  constructor(
    private readonly queries: MarketQueries,
    private readonly state: MarketState,
  ) {}

  async execute(): Promise<void> {
    const [nodes, offers, liveness, leases, tokens, waiting] = await Promise.all([
      this.queries.nodes(),
      this.queries.offers(),
      this.queries.liveness(),
      this.queries.openLeases(),
      this.queries.highestTokens(),
      this.queries.waitingTasks({}),
    ]);
    const nowMs = this.state.now().getTime();
    this.state.clear();
    for (const node of nodes) this.state.market.putNode(node);
    for (const offer of offers) this.state.market.putOffer(offer);
    for (const { nodeId, connectivity, sinceTime } of liveness) {
      this.state.heartbeats.seed(nodeId, connectivity, sinceTime.getTime(), nowMs);
      // A reader has no heartbeats of its own and believes the writer's last word.
      this.state.market.setAvailable(nodeId, !this.state.isLeading && connectivity === 'ONLINE');
    }
    for (const lease of leases) this.state.restore(lease, nowMs);
    this.state.tokens = tokens;
    for (const { job, task } of waiting) this.state.addWaiting(job, [task]);
  }
}
