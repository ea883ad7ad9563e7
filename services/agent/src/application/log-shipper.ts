import type { LeaseRef } from './messages';
import type { PlatformLink } from './ports';

const CHUNK_BYTES = 32 << 10;
/** What may have been under way when a stream broke; sent again, and recognised by its offset. */
const REWIND_BYTES = 256 << 10;

/**
 * Sends one container's output in order. Keeps all of it (the keeper has already cut it to the log limit), so that a
 * broken stream costs no line.
 */
export class LogShipper {
  private readonly chunks: Uint8Array[] = [];
  private sentChunks = 0;
  private sentBytes = 0;
  private ended: { readonly cut: boolean } | null = null;
  private endSent = false;

  constructor(
    private readonly lease: LeaseRef,
    private readonly link: PlatformLink,
  ) {}

  /** Everything was handed to a stream, the end included. */
  get isDone(): boolean {
    return this.endSent;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) this.chunks.push(chunk.subarray(at, at + CHUNK_BYTES));
    this.flush();
  }

  end(cut: boolean): void {
    this.ended = { cut };
    this.flush();
  }

  reconnected(): void {
    for (let rewound = 0; this.sentChunks > 0 && rewound < REWIND_BYTES;) {
      this.sentChunks -= 1;
      const { length } = this.chunks[this.sentChunks] ?? [];
      this.sentBytes -= length;
      rewound += length;
    }
    this.endSent = false;
    this.flush();
  }

  private flush(): void {
    for (let data = this.chunks[this.sentChunks]; data !== undefined; data = this.chunks[this.sentChunks]) {
      if (!this.send(data, false)) return;
      this.sentChunks += 1;
      this.sentBytes += data.length;
    }
    if (this.ended !== null && !this.endSent) this.endSent = this.send(new Uint8Array(), true);
  }

  private send(data: Uint8Array, end: boolean): boolean {
    return this.link.send({
      type: 'log',
      lease: this.lease,
      offsetBytes: this.sentBytes,
      data,
      cut: end && this.ended?.cut === true,
      end,
    });
  }
}
