/** Leases whose node was not connected when the doorbell rang, so that its return needs no second ring. Bounded. */
export class MissedOffers {
  private readonly byNode = new Map<string, Map<string, number>>();
  private count = 0;

  constructor(
    private readonly lifeMs: number,
    private readonly countMax: number,
  ) {}

  /** Full: the oldest node's leases are forgotten; the scheduler rings for them again. */
  add(nodeId: string, leaseId: string, nowMs: number): void {
    const leases = this.byNode.get(nodeId) ?? new Map<string, number>();
    if (!leases.has(leaseId)) this.count += 1;
    leases.set(leaseId, nowMs);
    this.byNode.set(nodeId, leases);
    while (this.count > this.countMax) this.forgetOldest();
  }

  /** The leases that still may be offered; they are forgotten here. */
  take(nodeId: string, nowMs: number): readonly string[] {
    const leases = this.byNode.get(nodeId);
    if (leases === undefined) return [];
    this.remove(nodeId, leases);
    return [...leases].filter(([, atMs]) => nowMs - atMs < this.lifeMs).map(([leaseId]) => leaseId);
  }

  get size(): number {
    return this.count;
  }

  private forgetOldest(): void {
    const [oldest] = this.byNode;
    if (oldest !== undefined) this.remove(...oldest);
  }

  private remove(nodeId: string, leases: ReadonlyMap<string, number>): void {
    this.byNode.delete(nodeId);
    this.count -= leases.size;
  }
}
