import type { Timers } from '@daya/kernel';

export type Connectivity = 'ONLINE' | 'SUSPECT' | 'LOST';

export interface NodeLiveness {
  readonly nodeId: string;
  connectivity: Connectivity;
  sinceMs: number;
  heardAtMs: number;
  draining: boolean;
}

/** More than a fifth, and at least twenty, of a region's nodes within a minute: the network is broken, not the nodes. */
export const MASS_LOSS = { nodesMin: 20, share: 5, windowMs: 60_000, freezeMs: 300_000 } as const;

/** Which nodes are heard of. Silence makes a node SUSPECT, then LOST; one heartbeat makes it ONLINE again. */
export class Heartbeats {
  private readonly nodes = new Map<string, NodeLiveness>();
  private readonly frozenSince = new Map<string, number>();
  private frozenRegions = new Set<string>();

  constructor(
    private readonly timers: Timers,
    private readonly regionOf: (nodeId: string) => string,
    /** Scales the guard's window like every timer. */
    private readonly scale: number,
  ) {}

  /** A node known from before, by its last stored word: one that was not lost has from now on as long to speak as any. */
  seed(nodeId: string, connectivity: Connectivity, sinceMs: number, nowMs: number): void {
    const heardAtMs = connectivity === 'LOST' ? 0 : nowMs;
    this.nodes.set(nodeId, { nodeId, connectivity, sinceMs, heardAtMs, draining: false });
  }

  /** Returns true when the node was not ONLINE, or began or stopped draining. */
  hear(nodeId: string, atMs: number, draining: boolean, nowMs: number): boolean {
    const known = this.nodes.get(nodeId);
    if (!known) {
      this.nodes.set(nodeId, { nodeId, connectivity: 'ONLINE', sinceMs: nowMs, heardAtMs: atMs, draining });
      return true;
    }
    const changed = known.connectivity !== 'ONLINE' || known.draining !== draining;
    if (known.connectivity !== 'ONLINE') known.sinceMs = nowMs;
    known.connectivity = 'ONLINE';
    known.heardAtMs = Math.max(known.heardAtMs, atMs);
    known.draining = draining;
    return changed;
  }

  get(nodeId: string): NodeLiveness | undefined {
    return this.nodes.get(nodeId);
  }

  /** Moves silent nodes on, reviews the guard, and returns the nodes whose connectivity changed. */
  review(nowMs: number): readonly NodeLiveness[] {
    this.reviewGuard(nowMs);
    const changed: NodeLiveness[] = [];
    for (const node of this.nodes.values()) {
      const next = this.connectivityOf(node, nowMs);
      if (next === node.connectivity) continue;
      node.connectivity = next;
      node.sinceMs = nowMs;
      changed.push(node);
    }
    return changed;
  }

  isFrozen(nodeId: string): boolean {
    return this.frozenRegions.size > 0 && this.frozenRegions.has(this.regionOf(nodeId));
  }

  private connectivityOf({ nodeId, connectivity, heardAtMs }: NodeLiveness, nowMs: number): Connectivity {
    const silenceMs = nowMs - heardAtMs;
    if (silenceMs >= this.timers.leaseTtlMs && connectivity !== 'LOST')
      return this.isFrozen(nodeId) ? 'SUSPECT' : 'LOST';
    if (silenceMs >= this.timers.suspectMs && connectivity === 'ONLINE') return 'SUSPECT';
    return connectivity;
  }

  /** A frozen region thaws when its nodes are back, and in any case after the longest freeze. */
  private reviewGuard(nowMs: number): void {
    const frozen = new Set<string>();
    for (const [region, { known, silent }] of this.countSilent(nowMs)) {
      const massive = silent >= MASS_LOSS.nodesMin && silent * MASS_LOSS.share > known;
      if (!massive) {
        this.frozenSince.delete(region);
        continue;
      }
      const sinceMs = this.frozenSince.get(region) ?? nowMs;
      this.frozenSince.set(region, sinceMs);
      if (nowMs - sinceMs < MASS_LOSS.freezeMs * this.scale) frozen.add(region);
    }
    this.frozenRegions = frozen;
  }

  /** Nodes that fell silent within the window, or are kept from being lost by the guard. */
  private countSilent(nowMs: number): Map<string, { known: number; silent: number }> {
    const counts = new Map<string, { known: number; silent: number }>();
    for (const node of this.nodes.values()) {
      if (node.connectivity === 'LOST') continue;
      const region = this.regionOf(node.nodeId);
      const count = counts.get(region) ?? { known: 0, silent: 0 };
      count.known += 1;
      const silenceMs = nowMs - node.heardAtMs - this.timers.suspectMs;
      const recent = silenceMs < MASS_LOSS.windowMs * this.scale || this.frozenSince.has(region);
      if (silenceMs >= 0 && recent) count.silent += 1;
      counts.set(region, count);
    }
    return counts;
  }
}
