import type { MarketState } from './market-state';
import type { MarketQueries, NodeRegistry } from './ports';

const NODES_MAX = 1_000;

/** Stores which nodes are heard of and tells the registry. What it does not take is told again with the next round. */
export class ReportConnectivity {
  constructor(
    private readonly queries: MarketQueries,
    private readonly registry: NodeRegistry,
    private readonly state: MarketState,
  ) {}

  async execute(): Promise<void> {
    if (!this.state.isLeading || this.state.unreported.size === 0) return;
    const ids = [...this.state.unreported].slice(0, NODES_MAX);
    const nodes = ids.flatMap((nodeId) => {
      const known = this.state.heartbeats.get(nodeId);
      return known ? [{ nodeId, connectivity: known.connectivity, sinceTime: new Date(known.sinceMs) }] : [];
    });
    await this.queries.saveLiveness(nodes);
    await this.registry.reportConnectivity(nodes);
    for (const { nodeId, connectivity } of nodes) {
      if (this.state.heartbeats.get(nodeId)?.connectivity === connectivity) this.state.unreported.delete(nodeId);
    }
  }
}
