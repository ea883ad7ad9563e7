import { createReadStream, existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { BlobSource } from '../../application/ports';
import { ImageInvalid, parseImageConfig, parseManifestOrIndex } from '../../domain/oci-manifest';
import type { ImageConfig, ImageLimits, OciLayer, OciManifest } from '../../domain/oci-manifest';
import { BlobMismatch, downloadBlob } from '../files/blob-file';
import { TarCount } from './tar-count';

/** An image whose parts are on disk, each checked against its digest and against the limits. */
export interface FetchedImage {
  readonly manifest: OciManifest;
  readonly config: ImageConfig;
  /** The file of a part, named by its hexadecimal digest. */
  readonly pathOf: (digest: string) => string;
}

const OCI_ARCHITECTURE: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** Fetches manifest, configuration and layers into `folder`. Throws ImageInvalid, BlobMissing. */
export async function fetchImage(
  digest: string,
  blobs: BlobSource,
  folder: string,
  limits: ImageLimits,
): Promise<FetchedImage> {
  await mkdir(folder, { recursive: true });
  const pathOf = (name: string): string => join(folder, name.slice('sha256:'.length));
  const fetch = async (name: string, maxBytes: number): Promise<string> => {
    if (!existsSync(pathOf(name))) await downloadBlob(blobs, { digest: name, maxBytes, mode: 0o600 }, pathOf(name));
    return pathOf(name);
  };
  try {
    const manifest = await fetchManifest(digest, fetch, limits);
    const config = parseImageConfig(
      await readFile(await fetch(manifest.config.digest, manifest.config.sizeBytes)),
      limits,
    );
    const count = new TarCount(limits.maxUnpackedBytes, limits.maxEntries);
    for (const layer of manifest.layers) await countLayer(await fetch(layer.digest, layer.sizeBytes), layer, count);
    return { manifest, config, pathOf };
  } catch (error) {
    throw error instanceof BlobMismatch ? new ImageInvalid(error.message) : error;
  }
}

async function fetchManifest(
  digest: string,
  fetch: (name: string, maxBytes: number) => Promise<string>,
  limits: ImageLimits,
): Promise<OciManifest> {
  const architecture = OCI_ARCHITECTURE[process.arch] ?? process.arch;
  const read = async (name: string): Promise<ReturnType<typeof parseManifestOrIndex>> =>
    parseManifestOrIndex(await readFile(await fetch(name, limits.maxManifestBytes)), architecture, limits);
  const named = await read(digest);
  if (named.kind === 'manifest') return named.manifest;
  const chosen = await read(named.manifest.digest);
  if (chosen.kind === 'index') throw new ImageInvalid('the index names another index');
  return chosen.manifest;
}

async function countLayer(path: string, layer: OciLayer, count: TarCount): Promise<void> {
  let refusal: unknown;
  const counted = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    try {
      for await (const chunk of chunks) count.push(chunk);
    } catch (error) {
      // The pipeline may reject with the abort that follows instead of its cause.
      refusal ??= error;
      throw error;
    }
  };
  try {
    if (layer.compression === 'gzip') await pipeline(createReadStream(path), createGunzip(), counted);
    else await pipeline(createReadStream(path), counted);
  } catch {
    throw refusal instanceof ImageInvalid
      ? refusal
      : new ImageInvalid(`layer ${layer.digest} is not a readable archive`);
  }
}
