import { chmod, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BlobMissing, InputInvalid } from '../../application/ports';
import type { BlobSource, RunInput } from '../../application/ports';
import { safeSegments } from '../../domain/safe-path';
import { BlobMismatch, downloadBlob } from '../files/blob-file';

/** Lays out a run's inputs in a folder that is ours and new. Files are readable by all and writable by nobody in the sandbox. */
export async function layOutInputs(
  folder: string,
  inputs: readonly RunInput[],
  maxBytes: number,
  blobs: BlobSource,
): Promise<void> {
  let leftBytes = maxBytes;
  for (const input of inputs) {
    const segments = safeSegments(input.path);
    if (segments === null)
      throw new InputInvalid(`the input path ${JSON.stringify(input.path)} is not a plain relative path`);
    const path = join(folder, ...segments);
    await makeFolders(folder, segments.slice(0, -1), input.path);
    try {
      leftBytes -= await downloadBlob(blobs, { digest: input.digest, maxBytes: leftBytes, mode: 0o444 }, path);
      await chmod(path, 0o444);
    } catch (error) {
      if (error instanceof BlobMismatch || error instanceof BlobMissing) throw new InputInvalid(error.message);
      if ((error as NodeJS.ErrnoException).code === 'EEXIST')
        throw new InputInvalid(`the input path ${input.path} is used twice`);
      throw error;
    }
  }
}

async function makeFolders(root: string, segments: readonly string[], inputPath: string): Promise<void> {
  let folder = root;
  for (const segment of segments) {
    folder = join(folder, segment);
    try {
      await mkdir(folder, { recursive: true });
      await chmod(folder, 0o755);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST' || code === 'ENOTDIR')
        throw new InputInvalid(`the input path ${inputPath} leads through ${dirname(inputPath)}, which is a file`);
      throw error;
    }
  }
}
