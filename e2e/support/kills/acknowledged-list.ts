import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';

/** What the client was told, and the platform may therefore never forget. */
export interface Acknowledged {
  readonly requestId: string;
  readonly jobId: string;
  readonly round: number;
  readonly atMs: number;
}

/** The client's own memory: every line is on the disk before the client does anything else. Lies outside the platform. */
export class AcknowledgedList {
  private readonly file: number;

  constructor(private readonly path: string) {
    this.file = openSync(path, 'a', 0o600);
  }

  add(entry: Acknowledged): void {
    writeSync(this.file, `${JSON.stringify(entry)}\n`);
    fsyncSync(this.file);
  }

  close(): void {
    closeSync(this.file);
  }

  /** As it stands on the disk. */
  read(): Acknowledged[] {
    const lines = readFileSync(this.path, 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Acknowledged);
  }
}
