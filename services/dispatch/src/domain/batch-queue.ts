export interface BatchLimits {
  readonly itemsMax: number;
  /** The first item waits this long for others. */
  readonly delayMs: number;
  readonly queuedMax: number;
}

interface Queued<T> {
  readonly item: T;
  readonly arrivedMs: number;
}

/** Collects items into batches, in their order; time is an argument. */
export class BatchQueue<T> {
  private queued: Queued<T>[] = [];

  constructor(private readonly limits: BatchLimits) {}

  get size(): number {
    return this.queued.length;
  }

  /** False when the queue is full: the item was not taken. */
  offer(item: T, nowMs: number): boolean {
    if (this.queued.length >= this.limits.queuedMax) return false;
    this.queued.push({ item, arrivedMs: nowMs });
    return true;
  }

  /** When the next batch is to be taken: 0 when it is full, undefined when nothing waits. */
  dueAtMs(): number | undefined {
    const [first] = this.queued;
    if (first === undefined) return undefined;
    return this.queued.length >= this.limits.itemsMax ? 0 : first.arrivedMs + this.limits.delayMs;
  }

  /** The oldest items, one batch of them; empty while the batch is not due. */
  take(nowMs: number): readonly T[] {
    const due = this.dueAtMs();
    if (due === undefined || due > nowMs) return [];
    return this.queued.splice(0, this.limits.itemsMax).map(({ item }) => item);
  }

  /** Everything that waits, due or not. */
  clear(): readonly T[] {
    return this.queued.splice(0).map(({ item }) => item);
  }
}
