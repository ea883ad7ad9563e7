/** What is written to a stream, in order; the stream reads it as an async iterable until `close`. */
export class FrameQueue<T> implements AsyncIterable<T> {
  private readonly waiting: T[] = [];
  private wake: () => void = () => undefined;
  private closed = false;

  push(item: T): void {
    this.waiting.push(item);
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const item = this.waiting.shift();
      if (item !== undefined) yield item;
      else if (this.closed) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
