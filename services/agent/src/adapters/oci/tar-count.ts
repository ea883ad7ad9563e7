import { ImageInvalid } from '../../domain/oci-manifest';

const BLOCK = 512;
const SIZE_OFFSET = 124;
const SIZE_LENGTH = 12;

/** Counts what a tar stream would unpack to, and throws ImageInvalid before it is unpacked when that is too much. */
export class TarCount {
  bytes = 0;
  entries = 0;
  private header = Buffer.alloc(0);
  private skip = 0;

  constructor(
    private readonly maxBytes: number,
    private readonly maxEntries: number,
  ) {}

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes > this.maxBytes) throw new ImageInvalid(`the image unpacks to more than ${this.maxBytes} bytes`);
    let at = 0;
    while (at < chunk.length) {
      if (this.skip > 0) {
        const skipped = Math.min(this.skip, chunk.length - at);
        this.skip -= skipped;
        at += skipped;
        continue;
      }
      const taken = chunk.subarray(at, at + BLOCK - this.header.length);
      this.header = Buffer.concat([this.header, taken]);
      at += taken.length;
      if (this.header.length === BLOCK) this.countHeader();
    }
  }

  private countHeader(): void {
    const header = this.header;
    this.header = Buffer.alloc(0);
    if (header[0] === 0) return;
    this.entries += 1;
    if (this.entries > this.maxEntries) throw new ImageInvalid(`the image has more than ${this.maxEntries} files`);
    this.skip = Math.ceil(sizeOf(header) / BLOCK) * BLOCK;
  }
}

/** The size field: octal text, or base 256 when its first bit is set. */
function sizeOf(header: Buffer): number {
  if (((header[SIZE_OFFSET] ?? 0) & 0x80) !== 0) return Number(header.readBigUInt64BE(SIZE_OFFSET + SIZE_LENGTH - 8));
  const text = header.toString('latin1', SIZE_OFFSET, SIZE_OFFSET + SIZE_LENGTH).replace(/[\0 ]+/g, '');
  return /^[0-7]+$/.test(text) ? parseInt(text, 8) : 0;
}
