/** What is pushed comes out in order; iteration waits for more until it is ended. */
export class PushQueue<T> implements AsyncIterable<T> {
  private readonly waiting: T[] = [];
  private wake: () => void = () => undefined;
  private ended = false;

  push(value: T): void {
    this.waiting.push(value);
    this.wake();
  }

  end(): void {
    this.ended = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = this.waiting.shift();
      if (next !== undefined) yield next;
      else if (this.ended) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
