import { DomainError, type IdGenerator } from '@daya/kernel';
import type { MarketState } from './market-state';
import type { Heard, MarketQueries, NodeRegistry } from './ports';

/** The registry takes this many in one call, which is one transaction there. */
export const NODES_PER_CALL_MAX = 100;

interface Batch {
  readonly requestId: string;
  readonly nodes: readonly Heard[];
}

/**
 * Stores which nodes are heard of and tells the registry, a batch at a time. A batch that the registry did not answer for
 * is sent again as it was, under the same request id: the first one may still be at work there.
 */
export class ReportConnectivity {
  private unanswered: Batch | undefined;

  constructor(
    private readonly queries: MarketQueries,
    private readonly registry: NodeRegistry,
    private readonly state: MarketState,
    private readonly ids: IdGenerator,
  ) {}

  /** Tells all that is new. Throws what the registry throws; what it does not take is told with the next round. */
  async execute(signal: AbortSignal): Promise<void> {
    for (;;) {
      if (!this.state.isLeading) this.unanswered = undefined;
      const batch = this.unanswered ?? this.nextBatch();
      if (batch === undefined || signal.aborted) return;
      await this.queries.saveLiveness(batch.nodes);
      await this.tell(batch, signal);
      this.settle(batch.nodes);
    }
  }

  private async tell(batch: Batch, signal: AbortSignal): Promise<void> {
    this.unanswered = batch;
    try {
      await this.registry.reportConnectivity(batch.requestId, batch.nodes, signal);
      this.unanswered = undefined;
    } catch (error) {
      const answered = error instanceof DomainError && error.kind !== 'unavailable';
      if (answered) this.unanswered = undefined;
      throw error;
    }
  }

  private nextBatch(): Batch | undefined {
    const { state } = this;
    if (!state.isLeading) return undefined;
    const nodes: Heard[] = [];
    for (const nodeId of state.unreported) {
      const known = state.heartbeats.get(nodeId);
      if (known) nodes.push({ nodeId, connectivity: known.connectivity, sinceTime: new Date(known.sinceMs) });
      if (nodes.length === NODES_PER_CALL_MAX) break;
    }
    return nodes.length === 0 ? undefined : { requestId: this.ids.next(), nodes };
  }

  /** What has changed again meanwhile is told again. */
  private settle(nodes: readonly Heard[]): void {
    for (const { nodeId, connectivity } of nodes) {
      if (this.state.heartbeats.get(nodeId)?.connectivity === connectivity) this.state.unreported.delete(nodeId);
    }
  }
}
