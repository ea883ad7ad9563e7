export interface Gpu {
  readonly uuid: string;
  readonly gpuModelId: string;
  readonly vramMib: number;
}

/** What the registry says of a node. */
export interface MarketNode {
  readonly nodeId: string;
  readonly providerId: string;
  readonly organisationId: string;
  readonly region: string;
  readonly emulated: boolean;
  /** Admitted, and its owner lets it take work. */
  readonly schedulable: boolean;
  readonly gpus: readonly Gpu[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
  readonly networkAllowed: boolean;
  readonly version: bigint;
}

/** What the registry says of an offer: the GPUs of one model on one node. */
export interface MarketOffer {
  readonly offerId: string;
  readonly nodeId: string;
  readonly providerId: string;
  readonly organisationId: string;
  readonly gpuModelId: string;
  readonly priceMicrosPerGpuHour: bigint;
  readonly region: string;
  readonly reliabilityBps: number;
  readonly minRentalSeconds: number;
  /** 0: no limit. */
  readonly maxRentalSeconds: number;
  readonly networkAllowed: boolean;
  readonly open: boolean;
  readonly emulated: boolean;
  readonly version: bigint;
}

/** What a live lease takes from its node. */
export interface Occupation {
  readonly leaseId: string;
  readonly nodeId: string;
  readonly gpuUuids: readonly string[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
}

/** What is left of a node. */
export interface Free {
  readonly gpus: readonly Gpu[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
}

/** One open offer beside its node, as matching sees it. */
export interface Candidate {
  readonly offer: MarketOffer;
  readonly node: MarketNode;
  /** Heard of and not draining. */
  readonly available: boolean;
  readonly free: Free;
}

interface NodeEntry {
  node: MarketNode;
  available: boolean;
  coolUntilMs: number;
  readonly leases: Map<string, Occupation>;
  free: Free | undefined;
}

const NOTHING: Free = { gpus: [], cpuMilli: 0, memoryMib: 0, scratchMib: 0 };

/** The market in memory: a cache of the projection, the leases and the nodes' liveness, rebuilt at every start. */
export class Market {
  private readonly nodes = new Map<string, NodeEntry>();
  private readonly offers = new Map<string, MarketOffer>();
  private readonly available = new Set<string>();
  private readonly occupations = new Map<string, Occupation>();
  private readonly gpuHolder = new Map<string, string>();
  private byPrice: readonly MarketOffer[] | undefined;

  /** Older versions are ignored, so events may come twice. */
  putNode(node: MarketNode): void {
    const entry = this.nodes.get(node.nodeId);
    if (entry && entry.node.version > node.version) return;
    if (entry) Object.assign(entry, { node, free: undefined });
    else
      this.nodes.set(node.nodeId, {
        node,
        available: this.available.has(node.nodeId),
        coolUntilMs: 0,
        leases: this.leasesOf(node.nodeId),
        free: undefined,
      });
  }

  putOffer(offer: MarketOffer): void {
    const known = this.offers.get(offer.offerId);
    if (known && known.version > offer.version) return;
    this.offers.set(offer.offerId, offer);
    this.byPrice = undefined;
  }

  node(nodeId: string): MarketNode | undefined {
    return this.nodes.get(nodeId)?.node;
  }

  get nodeCount(): number {
    return this.nodes.size;
  }

  /** Of the known nodes, those that are heard of and not draining. */
  get availableCount(): number {
    return [...this.available].filter((nodeId) => this.nodes.has(nodeId)).length;
  }

  setAvailable(nodeId: string, available: boolean): void {
    if (available) this.available.add(nodeId);
    else this.available.delete(nodeId);
    const entry = this.nodes.get(nodeId);
    if (entry) entry.available = available;
  }

  /** Gives a node no new work until then. */
  coolDown(nodeId: string, untilMs: number): void {
    const entry = this.nodes.get(nodeId);
    if (entry) entry.coolUntilMs = untilMs;
  }

  isAvailable(nodeId: string, nowMs: number): boolean {
    const entry = this.nodes.get(nodeId);
    return entry !== undefined && entry.available && entry.coolUntilMs <= nowMs;
  }

  /** Books a lease. Throws a plain Error when one of its GPUs is taken: placement looks before it takes. */
  take(occupation: Occupation): void {
    for (const uuid of occupation.gpuUuids) {
      const holder = this.gpuHolder.get(uuid);
      if (holder !== undefined && holder !== occupation.leaseId)
        throw new Error(`GPU ${uuid} is taken by lease ${holder}`);
    }
    for (const uuid of occupation.gpuUuids) this.gpuHolder.set(uuid, occupation.leaseId);
    this.occupations.set(occupation.leaseId, occupation);
    const entry = this.nodes.get(occupation.nodeId);
    if (!entry) return;
    entry.leases.set(occupation.leaseId, occupation);
    entry.free = undefined;
  }

  /** Frees what a lease held; nothing when it holds nothing. */
  release(leaseId: string): void {
    const occupation = this.occupations.get(leaseId);
    if (!occupation) return;
    this.occupations.delete(leaseId);
    for (const uuid of occupation.gpuUuids) this.gpuHolder.delete(uuid);
    const entry = this.nodes.get(occupation.nodeId);
    if (!entry) return;
    entry.leases.delete(leaseId);
    entry.free = undefined;
  }

  freeOf(nodeId: string): Free {
    const entry = this.nodes.get(nodeId);
    if (!entry) return NOTHING;
    entry.free ??= this.countFree(entry);
    return entry.free;
  }

  /** Open offers of known nodes, cheapest first, then the most reliable, then in the order of their ids. */
  *candidates(nowMs: number): Generator<Candidate> {
    this.byPrice ??= [...this.offers.values()].filter(({ open }) => open).sort(betterFirst);
    for (const offer of this.byPrice) {
      const entry = this.nodes.get(offer.nodeId);
      if (!entry) continue;
      // A node that cools down is there, it just takes nothing now.
      const free = entry.coolUntilMs <= nowMs ? this.freeOf(offer.nodeId) : NOTHING;
      yield { offer, node: entry.node, available: entry.available, free };
    }
  }

  private leasesOf(nodeId: string): Map<string, Occupation> {
    return new Map(
      [...this.occupations.values()].filter((taken) => taken.nodeId === nodeId).map((taken) => [taken.leaseId, taken]),
    );
  }

  private countFree({ node, leases }: NodeEntry): Free {
    const taken = [...leases.values()];
    const sum = (of: (occupation: Occupation) => number): number =>
      taken.reduce((total, occupation) => total + of(occupation), 0);
    return {
      gpus: node.gpus.filter(({ uuid }) => !this.gpuHolder.has(uuid)),
      cpuMilli: node.cpuMilli - sum((occupation) => occupation.cpuMilli),
      memoryMib: node.memoryMib - sum((occupation) => occupation.memoryMib),
      scratchMib: node.scratchMib - sum((occupation) => occupation.scratchMib),
    };
  }
}

function betterFirst(left: MarketOffer, right: MarketOffer): number {
  if (left.priceMicrosPerGpuHour !== right.priceMicrosPerGpuHour)
    return left.priceMicrosPerGpuHour < right.priceMicrosPerGpuHour ? -1 : 1;
  if (left.reliabilityBps !== right.reliabilityBps) return right.reliabilityBps - left.reliabilityBps;
  return left.offerId < right.offerId ? -1 : 1;
}
