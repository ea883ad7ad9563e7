export interface BatchLimits {
  readonly itemsMax: number;
  /** Of one batch, by the items' weights; a heavier item goes alone. */
  readonly bytesMax: number;
  /** The first item waits this long for others. */
  readonly delayMs: number;
  readonly queuedMax: number;
}

interface Queued<T> {
  readonly item: T;
  readonly bytes: number;
  readonly arrivedMs: number;
}

/** Collects items into batches, in their order; time is an argument. */
export class BatchQueue<T> {
  private queued: Queued<T>[] = [];
  private bytes = 0;

  constructor(private readonly limits: BatchLimits) {}

  get size(): number {
    return this.queued.length;
  }

  /** False when the queue is full: the item was not taken. */
  offer(item: T, bytes: number, nowMs: number): boolean {
    if (this.queued.length >= this.limits.queuedMax) return false;
    this.queued.push({ item, bytes, arrivedMs: nowMs });
    this.bytes += bytes;
    return true;
  }

  /** When the next batch is to be taken: 0 when it is full, undefined when nothing waits. */
  dueAtMs(): number | undefined {
    const [first] = this.queued;
    if (first === undefined) return undefined;
    const isFull = this.queued.length >= this.limits.itemsMax || this.bytes >= this.limits.bytesMax;
    return isFull ? 0 : first.arrivedMs + this.limits.delayMs;
  }

  /** The oldest items, one batch of them; empty while the batch is not due. */
  take(nowMs: number): readonly T[] {
    const due = this.dueAtMs();
    if (due === undefined || due > nowMs) return [];
    return this.cut(this.batchLength());
  }

  /** Everything that waits, due or not. */
  clear(): readonly T[] {
    return this.cut(this.queued.length);
  }

  private batchLength(): number {
    let bytes = 0;
    const tooHeavy = this.queued.findIndex(
      (entry, index) => (bytes += entry.bytes) > this.limits.bytesMax && index > 0,
    );
    return Math.min(this.limits.itemsMax, tooHeavy === -1 ? this.queued.length : tooHeavy);
  }

  private cut(count: number): readonly T[] {
    const taken = this.queued.splice(0, count);
    this.bytes -= taken.reduce((sum, { bytes }) => sum + bytes, 0);
    return taken.map(({ item }) => item);
  }
}
