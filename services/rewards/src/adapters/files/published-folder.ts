import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { InputFileError } from './input-file';
import type { PublishedEpoch } from '../../application/verify-publication';
import type { EpochFiles } from '../../domain/verify-epoch';

const MANIFEST = 'manifest.json';

/** `<asset>/epoch-<number>`; the padding makes names sort like numbers. */
export const epochFolder = (asset: string, epoch: bigint): string =>
  `${asset}/epoch-${String(epoch).padStart(10, '0')}`;

const EPOCH_FOLDER = /^epoch-([0-9]{10,19})$/;

/**
 * The epochs of a publication: those below a folder, or the one of a manifest. A folder's epochs come by asset in the order of
 * their chain, each with the one before it. Throws InputFileError when there is none.
 */
export async function* publishedEpochs(path: string): AsyncGenerator<PublishedEpoch> {
  const isFolder = (await stat(path).catch(() => refuse(`${path}: does not exist`))).isDirectory();
  if (!isFolder) {
    if (basename(path) !== MANIFEST) refuse(`${path}: must be a ${MANIFEST} or a folder`);
    yield* oneEpoch(dirname(path));
    return;
  }
  if ((await readdir(path)).includes(MANIFEST)) {
    yield* oneEpoch(path);
    return;
  }
  const folders = await epochFoldersBelow(path);
  if (folders.length === 0) refuse(`${path}: no ${MANIFEST} below it`);
  let before: PublishedEpoch | undefined;
  for (const folder of folders) {
    const sameChain = before !== undefined && dirname(before.place) === dirname(folder);
    // A chain whose older part was archived is checked from what is left of it.
    before = { place: folder, files: await filesOf(folder), previous: sameChain ? before?.files : undefined };
    yield before;
  }
}

async function* oneEpoch(folder: string): AsyncGenerator<PublishedEpoch> {
  const number = EPOCH_FOLDER.exec(basename(resolve(folder)))?.[1];
  const before = join(folder, '..', `epoch-${String(BigInt(number ?? 0) - 1n).padStart(10, '0')}`);
  const hasPrevious = number !== undefined && (await isThere(join(before, MANIFEST)));
  yield { place: folder, files: await filesOf(folder), previous: hasPrevious ? await filesOf(before) : undefined };
}

async function epochFoldersBelow(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name === MANIFEST)
    .map((entry) => entry.parentPath)
    .sort();
}

async function filesOf(folder: string): Promise<EpochFiles> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

function refuse(message: string): never {
  throw new InputFileError(message);
}
