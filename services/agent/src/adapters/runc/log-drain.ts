import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

/**
 * Reads a container's output without ever making it wait, and keeps the first `limitBytes`. What is cut is counted
 * and named in the file, so a reader does not take the cut for the end.
 */
export class LogDrain {
  keptBytes = 0;
  cut = false;
  readonly ended: Promise<void>;
  /** Give this to the container as stdout and stderr, then call `closeWriter`. */
  readonly writerFd: number;
  private readonly socket: Socket;
  private readonly fileFd: number;

  /** `pipePath` is a FIFO that exists. What is kept goes to `filePath`. */
  constructor(
    pipePath: string,
    filePath: string,
    private readonly limitBytes: number,
  ) {
    const readerFd = openSync(pipePath, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writerFd = openSync(pipePath, constants.O_WRONLY);
    this.fileFd = openSync(filePath, 'w', 0o600);
    this.socket = new Socket({ fd: readerFd, readable: true, writable: false });
    this.socket.on('data', (chunk: Buffer) => this.keep(chunk));
    this.ended = new Promise((resolve) => {
      this.socket.once('error', () => this.socket.destroy());
      this.socket.once('close', () => {
        closeSync(this.fileFd);
        resolve();
      });
    });
  }

  closeWriter(): void {
    closeSync(this.writerFd);
  }

  /** For a reader whose other end is held open by something that will never write again. */
  stop(): void {
    this.socket.destroy();
  }

  private keep(chunk: Buffer): void {
    if (this.cut) return;
    const room = this.limitBytes - this.keptBytes;
    const kept = chunk.length <= room ? chunk : chunk.subarray(0, room);
    writeSync(this.fileFd, kept);
    this.keptBytes += kept.length;
    if (kept.length < chunk.length) {
      this.cut = true;
      writeSync(this.fileFd, `\n[log cut after ${this.limitBytes} bytes]\n`);
    }
  }
}
