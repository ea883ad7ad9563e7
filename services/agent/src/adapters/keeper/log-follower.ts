import { closeSync, openSync, readSync, watch } from 'node:fs';

const READ_BYTES = 64 << 10;

/** Follows a growing file that another process writes, from its first byte until `finish`. */
export class LogFollower {
  private readonly fd: number;
  private readonly listeners: ((chunk: Uint8Array) => void)[] = [];
  private readonly watcher: ReturnType<typeof watch>;
  private position = 0;
  private open = true;

  constructor(path: string) {
    this.fd = openSync(path, 'r');
    this.watcher = watch(path, () => this.readOn());
    this.watcher.on('error', () => this.watcher.close());
  }

  /** Nothing is read before the first listener; later ones hear only what comes after. */
  listen(listener: (chunk: Uint8Array) => void): void {
    this.listeners.push(listener);
    this.readOn();
  }

  /** Reads what is left and stops. Safe to repeat. */
  finish(): void {
    if (!this.open) return;
    this.readOn();
    this.open = false;
    this.watcher.close();
    closeSync(this.fd);
  }

  private readOn(): void {
    if (!this.open || this.listeners.length === 0) return;
    for (;;) {
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      const bytes = readSync(this.fd, buffer, 0, READ_BYTES, this.position);
      if (bytes === 0) return;
      this.position += bytes;
      for (const listener of this.listeners) listener(buffer.subarray(0, bytes));
    }
  }
}
