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
      // A word that was stored may not have been told before the last writer ended; the registry ignores what it knows.
      this.state.unreported.add(nodeId);
      this.state.heartbeats.seed(nodeId, connectivity, sinceTime.getTime(), nowMs);
      // The last word is believed, by readers, who hear no heartbeats, and by a new writer until it would be suspect: a
      // restart takes nobody from the market, and an offer to a node that died meanwhile costs one unanswered offer.
      this.state.market.setAvailable(nodeId, connectivity === 'ONLINE');
    }
    for (const lease of leases) this.state.restore(lease, nowMs);
    this.state.tokens = tokens;
    for (const { job, task } of waiting) this.state.addWaiting(job, [task]);
  }
}
