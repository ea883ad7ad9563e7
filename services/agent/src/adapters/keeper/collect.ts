import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { OutputInvalid } from '../../application/ports';
import type { ArtifactLimits, CollectedArtifact, Collection } from '../../application/ports';
import { safeSegments, segmentsBelow } from '../../domain/safe-path';

const CHUNK_BYTES = 64 << 10;
/** The list of a run's files travels in one report; each path costs its bytes and about this many more. */
const LIST_BYTES_MAX = 200 << 10;
const LIST_ENTRY_BYTES = 96;

/**
 * Finds the plain files that a finished run left under its output path. Nothing runs in there any more, so what was
 * looked at is what is read; links are never followed, neither on the way nor at the end. A path that was never made
 * holds nothing.
 */
export async function collectArtifacts(
  scratchFolder: string,
  outputPath: string,
  limits: ArtifactLimits,
): Promise<Collection> {
  const segments = segmentsBelow('/scratch', outputPath);
  if (segments === null) throw new OutputInvalid(`the output path ${outputPath} is not below /scratch`);
  let folder = scratchFolder;
  for (const segment of segments) {
    folder = join(folder, segment);
    const stat = await lstat(folder).catch(() => null);
    if (stat === null) return { artifacts: [], skipped: [] };
    if (!stat.isDirectory()) throw new OutputInvalid(`the output path ${outputPath} is not a plain folder`);
  }
  const found: Found = { artifacts: [], skipped: [], bytes: 0, listBytes: 0, limits };
  await walk(folder, '', found);
  return { artifacts: found.artifacts, skipped: found.skipped };
}

interface Found {
  readonly artifacts: CollectedArtifact[];
  readonly skipped: { path: string; why: string }[];
  readonly limits: ArtifactLimits;
  bytes: number;
  listBytes: number;
}

async function walk(root: string, below: string, found: Found): Promise<void> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (found.artifacts.length + found.skipped.length >= found.limits.maxFiles) {
      throw new OutputInvalid(`the output has more than ${found.limits.maxFiles} files`);
    }
    if (safeSegments(path) === null) found.skipped.push({ path: printable(path), why: 'the name cannot be kept' });
    else if (entry.isDirectory()) await walk(root, path, found);
    else if (entry.isFile()) await addFile(root, path, found);
    else found.skipped.push({ path, why: 'not a plain file' });
  }
}

async function addFile(root: string, path: string, found: Found): Promise<void> {
  found.listBytes += Buffer.byteLength(path) + LIST_ENTRY_BYTES;
  if (found.listBytes > LIST_BYTES_MAX)
    throw new OutputInvalid('the names of the output files are too long for one report');
  const file = join(root, path);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of chunksOf(file)) {
    sizeBytes += chunk.length;
    if (found.bytes + sizeBytes > found.limits.maxBytes)
      throw new OutputInvalid(`the output has more than ${found.limits.maxBytes} bytes`);
    hash.update(chunk);
  }
  found.bytes += sizeBytes;
  found.artifacts.push({ path, sizeBytes, digest: `sha256:${hash.digest('hex')}`, open: () => chunksOf(file) });
}

/** Reads a plain file. The flags make opening a link an error and opening a pipe harmless. */
async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new OutputInvalid('an output file changed its kind');
    yield* read(file);
  } finally {
    await file.close();
  }
}

async function* read(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function printable(path: string): string {
  return path.replace(/[\p{Cc}\uFFFD]/gu, '?').slice(0, 255);
}
