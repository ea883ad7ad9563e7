import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';

/** Reads a container's output from a FIFO as fast as it comes, so that writing never waits, whatever becomes of the bytes. */
export class FifoDrain {
  /** After the last writer has closed its end. */
  readonly ended: Promise<void>;
  /** Give this to the container as stdout and stderr, then call `closeWriter`. */
  readonly writerFd: number;
  private readonly socket: Socket;

  constructor(pipePath: string, take: (chunk: Buffer) => void) {
    const readerFd = openSync(pipePath, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writerFd = openSync(pipePath, constants.O_WRONLY);
    this.socket = new Socket({ fd: readerFd, readable: true, writable: false });
    this.socket.on('data', take);
    this.ended = new Promise((resolve) => {
      this.socket.once('error', () => this.socket.destroy());
      this.socket.once('close', () => resolve());
    });
  }

  closeWriter(): void {
    closeSync(this.writerFd);
  }

  /** For a pipe whose other end is held open by something that will never write again. */
  stop(): void {
    this.socket.destroy();
  }
}
