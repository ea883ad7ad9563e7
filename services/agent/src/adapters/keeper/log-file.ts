import { closeSync, openSync, truncateSync, writeSync } from 'node:fs';

/**
 * Keeps the first `limitBytes` of a container's output. What is cut is named in the file, so a reader does not take
 * the cut for the end.
 */
export class LogFile {
  keptBytes = 0;
  cut = false;
  private readonly fd: number;

  constructor(
    private readonly path: string,
    private readonly limitBytes: number,
  ) {
    this.fd = openSync(path, 'w', 0o600);
  }

  keep(chunk: Buffer): void {
    if (this.cut) return;
    const room = this.limitBytes - this.keptBytes;
    const kept = chunk.length <= room ? chunk : chunk.subarray(0, room);
    writeSync(this.fd, kept);
    this.keptBytes += kept.length;
    if (kept.length === chunk.length) return;
    this.cut = true;
    writeSync(this.fd, `\n[log cut after ${this.limitBytes} bytes]\n`);
  }

  /** For a container that never ran: what the runtime said about it is not the customer's log. */
  forget(): void {
    truncateSync(this.path);
    this.keptBytes = 0;
    this.cut = false;
  }

  close(): void {
    closeSync(this.fd);
  }
}
