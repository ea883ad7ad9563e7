import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Replaces a file so that after a crash either the old or the new content is there; on disk when it returns. */
export function writeDurably(path: string, content: Uint8Array | string, mode = 0o600): void {
  const draft = `${path}.draft`;
  const file = openSync(draft, 'w', mode);
  try {
    const bytes = Buffer.from(content);
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  syncFolder(dirname(path));
}

/** The file's text, null when there is none. */
export function readIfThere(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

/** Small records, one file each, in the order of their names. */
export class RecordFolder {
  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  names(): readonly string[] {
    return readdirSync(this.folder)
      .filter((name) => !name.endsWith('.draft'))
      .sort();
  }

  read(name: string): Buffer {
    return readFileSync(join(this.folder, name));
  }

  write(name: string, content: Uint8Array | string): void {
    writeDurably(join(this.folder, name), content);
  }

  /** Safe to repeat. Need not be durable: a record that comes back is only sent again. */
  remove(name: string): void {
    rmSync(join(this.folder, name), { force: true });
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
