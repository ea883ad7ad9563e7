import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DomainError } from '@daya/kernel';
import { ArtifactStore, type ExpectedBlob } from '../../application/ports';
import { BLOB_CHUNK_BYTES_MAX } from '../../domain/limits';
import { isSha256 } from '../../domain/shapes';
import { isMissing } from './small-files';

export interface ArtifactFolderOptions {
  readonly folder: string;
  /** All blobs together. */
  readonly quotaBytes: number;
  readonly blobBytesMax: number;
}

/** Blobs as files: blobs/<two digits>/<sha256>. A file appears there by one link, when all of it is on the disk. */
export class ArtifactFolder extends ArtifactStore {
  private usedBytes = 0;

  constructor(private readonly options: ArtifactFolderOptions) {
    super();
  }

  /** Makes the folders, removes what broken uploads left, and measures what is there. */
  async start(): Promise<void> {
    await rm(this.temporary(), { recursive: true, force: true });
    await mkdir(this.temporary(), { recursive: true });
    await mkdir(join(this.options.folder, 'blobs'), { recursive: true });
    this.usedBytes = await this.measure();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  override async put(expected: ExpectedBlob, chunks: AsyncIterable<Uint8Array>): Promise<number> {
    const path = this.pathOf(expected.sha256);
    const temporary = join(this.temporary(), randomUUID());
    const file = await open(temporary, 'wx', 0o600);
    let reserved = 0;
    const reserve = (bytes: number): void => {
      if (this.usedBytes + bytes > this.options.quotaBytes)
        throw new DomainError('exhausted', 'STORE_FULL', 'the store is full');
      this.usedBytes += bytes;
      reserved += bytes;
    };
    let isNew = false;
    try {
      const bytes = await this.receive(file, expected, chunks, reserve);
      isNew = await publish(temporary, path);
      return bytes;
    } finally {
      if (!isNew) this.usedBytes -= reserved;
      await file.close();
      await rm(temporary, { force: true });
    }
  }

  override async sizeOf(sha256: string): Promise<number | undefined> {
    try {
      return (await stat(this.pathOf(sha256))).size;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  override async *read(sha256: string, offsetBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
    const bytes = await this.sizeOf(sha256);
    if (bytes === undefined) throw new DomainError('not-found', 'BLOB_NOT_FOUND', 'blob not found');
    if (!(offsetBytes >= 0 && offsetBytes <= bytes)) {
      const violation = { field: 'offset_bytes', reason: 'OFFSET_OUT_OF_RANGE', description: `must be 0 to ${bytes}` };
      throw new DomainError('invalid', 'OFFSET_OUT_OF_RANGE', 'the offset is outside the blob', {}, [violation]);
    }
    if (offsetBytes === bytes) return;
    const stream = createReadStream(this.pathOf(sha256), { start: offsetBytes, highWaterMark: BLOB_CHUNK_BYTES_MAX });
    try {
      for await (const chunk of stream) yield chunk as Buffer;
    } finally {
      stream.destroy();
    }
  }

  /** Writes and hashes at the speed of the disk; not asking for the next chunk slows the sender down. */
  private async receive(
    file: FileHandle,
    expected: ExpectedBlob,
    chunks: AsyncIterable<Uint8Array>,
    reserve: (bytes: number) => void,
  ): Promise<number> {
    const limitBytes = Math.min(expected.bytes ?? Infinity, this.options.blobBytesMax);
    const hash = createHash('sha256');
    let bytes = 0;
    if ((expected.bytes ?? 0) > this.options.blobBytesMax) throw this.tooLarge();
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > limitBytes) throw expected.bytes === limitBytes ? sizeMismatch() : this.tooLarge();
      reserve(chunk.length);
      hash.update(chunk);
      await file.appendFile(chunk);
    }
    if (expected.bytes !== undefined && bytes !== expected.bytes) throw sizeMismatch();
    if (hash.digest('hex') !== expected.sha256) {
      throw mismatch('sha256', 'BLOB_HASH_MISMATCH', 'is not the SHA-256 of the content');
    }
    await file.datasync();
    return bytes;
  }

  private tooLarge(): DomainError {
    const limit = String(this.options.blobBytesMax);
    return new DomainError('exhausted', 'BLOB_TOO_LARGE', `a blob has at most ${limit} bytes`, { limit_bytes: limit });
  }

  private async measure(): Promise<number> {
    let bytes = 0;
    const blobs = join(this.options.folder, 'blobs');
    for (const shard of await readdir(blobs)) {
      for (const name of await readdir(join(blobs, shard))) bytes += (await stat(join(blobs, shard, name))).size;
    }
    return bytes;
  }

  private pathOf(sha256: string): string {
    if (!isSha256(sha256)) throw new Error('not a SHA-256: no file has this name');
    return join(this.options.folder, 'blobs', sha256.slice(0, 2), sha256);
  }

  private temporary(): string {
    return join(this.options.folder, 'tmp');
  }
}

/** False when the blob was there already; two uploads at once cannot both be the first. */
async function publish(temporary: string, path: string): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  // The name must survive a power cut as the content does.
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
  return true;
}

const sizeMismatch = (): DomainError => mismatch('bytes', 'BLOB_SIZE_MISMATCH', 'is not the size of the content');

const mismatch = (field: string, reason: string, description: string): DomainError =>
  new DomainError('invalid', reason, `${field} ${description}`, {}, [{ field, reason, description }]);
