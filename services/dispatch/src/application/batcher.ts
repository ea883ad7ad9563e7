import { DomainError } from '@daya/kernel';
import { BatchQueue, type BatchLimits } from '../domain/batch-queue';

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Turns single items into calls of many. Calls go out in order, `inFlight` at a time (1 keeps the items' order too). When
 * a call fails, so does everything that waits behind it: what is repeated later arrives in its old order again. A call
 * that the peer calls `invalid` is halved until only the wrong item fails.
 */
export class Batcher<Item, Result> {
  private readonly queue: BatchQueue<Waiting<Item, Result>>;
  private running = 0;
  private timer: NodeJS.Timeout | undefined;
  private turnEnds = false;

  constructor(
    private readonly limits: BatchLimits & { readonly inFlight: number },
    /** Results in the order of the items. */
    private readonly call: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly nowMs: () => number,
  ) {
    this.queue = new BatchQueue(limits);
  }

  /** Throws what the call throws; `exhausted` BATCH_QUEUE_FULL when too much waits. */
  add(item: Item, bytes: number): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.queue.offer({ item, resolve, reject }, bytes, this.nowMs())) this.pumpSoon();
      else reject(new DomainError('exhausted', 'BATCH_QUEUE_FULL', 'too much waits for the peer: try again later'));
    });
  }

  /** After this turn, so that items of one turn travel together. */
  private pumpSoon(): void {
    if (this.turnEnds) return;
    this.turnEnds = true;
    queueMicrotask(() => {
      this.turnEnds = false;
      this.pump();
    });
  }

  private pump(): void {
    while (this.running < this.limits.inFlight) {
      const batch = this.queue.take(this.nowMs());
      if (batch.length === 0) break;
      this.running += 1;
      void this.send(batch).finally(() => {
        this.running -= 1;
        this.pump();
      });
    }
    this.arm();
  }

  /** While all calls are out nothing is due: the next one starts when one returns. */
  private arm(): void {
    const dueMs = this.queue.dueAtMs();
    if (this.timer !== undefined || dueMs === undefined || this.running >= this.limits.inFlight) return;
    this.timer = setTimeout(
      () => {
        this.timer = undefined;
        this.pump();
      },
      Math.max(0, dueMs - this.nowMs()),
    );
  }

  private async send(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.call(batch.map(({ item }) => item));
      if (results.length !== batch.length)
        throw new Error(`${batch.length} items were answered by ${results.length} results`);
      batch.forEach(({ resolve }, index) => resolve(results[index] as Result));
    } catch (error) {
      if (isInvalid(error) && batch.length > 1) return this.sendHalves(batch);
      const alike = isInvalid(error) ? batch : [...batch, ...this.queue.clear()];
      for (const { reject } of alike) reject(error);
    }
  }

  /** One item that the peer does not understand must not hold up the others: it is found by halving. */
  private async sendHalves(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    const middle = batch.length >> 1;
    await this.send(batch.slice(0, middle));
    await this.send(batch.slice(middle));
  }
}

const isInvalid = (error: unknown): boolean => error instanceof DomainError && error.kind === 'invalid';
