import { createHash } from 'node:crypto';
import { createReadStream, existsSync, lstatSync, mkdirSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import type { BlobSource, PreparedImage } from '../../application/ports';
import { ImageInvalid, isDigest, parseImageConfig, parseManifestOrIndex } from '../../domain/oci-manifest';
import type { BlobRef, ImageConfig, ImageLimits, OciLayer, OciManifest } from '../../domain/oci-manifest';
import { BlobMismatch, downloadBlob } from '../files/blob-file';
import { runCommand } from '../files/run-command';
import { TarCount } from './tar-count';

const UNPACK_TIMEOUT_MS = 15 * 60_000;
const OCI_ARCHITECTURE: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
/** Where the sandbox mounts something; each must be a plain folder of the image. */
const MOUNT_POINTS = ['proc', 'dev', 'tmp', 'scratch', 'inputs'];

/**
 * Root file systems by image digest, unpacked once and shared read-only by every run and, because finished folders
 * only ever appear by a rename, by every agent of the machine. Files stay owned by the host's root, so nothing in a
 * sandbox can write them.
 */
export class ImageStore {
  private readonly preparing = new Map<string, Promise<PreparedImage>>();

  constructor(
    private readonly folder: string,
    private readonly limits: ImageLimits,
  ) {
    mkdirSync(folder, { recursive: true, mode: 0o711 });
  }

  /** Throws ImageInvalid, BlobMissing. */
  prepare(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    const running = this.preparing.get(digest);
    if (running !== undefined) return running;
    const preparation = this.findOrUnpack(digest, blobs).finally(() => this.preparing.delete(digest));
    this.preparing.set(digest, preparation);
    return preparation;
  }

  private async findOrUnpack(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    if (!isDigest(digest)) throw new ImageInvalid('the image digest is not a sha256 digest');
    const target = join(this.folder, digest.slice('sha256:'.length));
    if (!existsSync(target)) await this.unpack(digest, blobs, target);
    const config = JSON.parse(await readFile(join(target, 'image.json'), 'utf8')) as ImageConfig;
    return { digest, location: join(target, 'rootfs'), env: config.env, command: [...config.entrypoint, ...config.command] };
  }

  private async unpack(digest: string, blobs: BlobSource, target: string): Promise<void> {
    const work = await mkdtemp(join(this.folder, 'unpacking-'));
    try {
      const config = await this.fetchLayout(digest, blobs, join(work, 'layout'));
      await runCommand('umoci', ['unpack', '--image', `${join(work, 'layout')}:image`, join(work, 'bundle')], UNPACK_TIMEOUT_MS).catch(
        () => Promise.reject(new ImageInvalid('the layers cannot be unpacked')),
      );
      const result = join(work, 'result');
      await mkdir(result);
      await rename(join(work, 'bundle', 'rootfs'), join(result, 'rootfs'));
      await makeHarmless(join(result, 'rootfs'));
      await writeFile(join(result, 'image.json'), JSON.stringify(config));
      await chmod(join(result, 'rootfs'), 0o755);
      await chmod(result, 0o711);
      await moveIfFirst(result, target);
    } catch (error) {
      throw error instanceof BlobMismatch ? new ImageInvalid(error.message) : error;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  private async fetchLayout(digest: string, blobs: BlobSource, layout: string): Promise<ImageConfig> {
    const blobFolder = join(layout, 'blobs', 'sha256');
    await mkdir(blobFolder, { recursive: true });
    const fetch = async (blob: { readonly digest: string }, maxBytes: number): Promise<string> => {
      const path = join(blobFolder, blob.digest.slice('sha256:'.length));
      if (!existsSync(path)) await downloadBlob(blobs, { digest: blob.digest, maxBytes, mode: 0o600 }, path);
      return path;
    };
    const manifest = await this.fetchManifest(digest, fetch);
    const config = parseImageConfig(await readFile(await fetch(manifest.config, manifest.config.sizeBytes)), this.limits);
    const count = new TarCount(this.limits.maxUnpackedBytes, this.limits.maxEntries);
    for (const layer of manifest.layers) await countLayer(await fetch(layer, layer.sizeBytes), layer, count);
    await writeLayout(layout, manifest);
    return config;
  }

  private async fetchManifest(digest: string, fetch: (blob: { readonly digest: string }, maxBytes: number) => Promise<string>): Promise<OciManifest> {
    const architecture = OCI_ARCHITECTURE[process.arch] ?? process.arch;
    const { maxManifestBytes } = this.limits;
    const named = parseManifestOrIndex(await readFile(await fetch({ digest }, maxManifestBytes)), architecture, this.limits);
    if (named.kind === 'manifest') return named.manifest;
    const chosen = parseManifestOrIndex(await readFile(await fetch(named.manifest, maxManifestBytes)), architecture, this.limits);
    if (chosen.kind === 'index') throw new ImageInvalid('the index names another index');
    return chosen.manifest;
  }
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
    throw refusal instanceof ImageInvalid ? refusal : new ImageInvalid(`layer ${layer.digest} is not a readable archive`);
  }
}

/** Writes what umoci reads: our own manifest of the checked parts, so that nothing else of the image's reaches it. */
async function writeLayout(layout: string, manifest: OciManifest): Promise<void> {
  const descriptor = (blob: BlobRef, mediaType: string): object => ({ mediaType, digest: blob.digest, size: blob.sizeBytes });
  const bytes = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor(manifest.config, 'application/vnd.oci.image.config.v1+json'),
    layers: manifest.layers.map((layer) => descriptor(layer, `application/vnd.oci.image.layer.v1.tar${layer.compression === 'gzip' ? '+gzip' : ''}`)),
  });
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  await writeFile(join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length)), bytes);
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...descriptor({ digest, sizeBytes: bytes.length }, 'application/vnd.oci.image.manifest.v1+json'), annotations: { 'org.opencontainers.image.ref.name': 'image' } };
  await writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
}

/**
 * The files belong to the host's root, so a set-user-id program of an image would be one on the host, and a device
 * node a way to its disks: both are taken away. Missing mount points are made; one that is a link would let the
 * image choose where the sandbox mounts, so it is refused.
 */
async function makeHarmless(rootfs: string): Promise<void> {
  await runCommand('find', [rootfs, '-xdev', '(', '-type', 'f', '-o', '-type', 'd', ')', '-perm', '/6000', '-exec', 'chmod', 'a-s', '{}', '+'], UNPACK_TIMEOUT_MS);
  await runCommand('find', [rootfs, '-xdev', '(', '-type', 'b', '-o', '-type', 'c', ')', '-delete'], UNPACK_TIMEOUT_MS);
  for (const name of MOUNT_POINTS) {
    const path = join(rootfs, name);
    if (!(await exists(path))) await mkdir(path, { mode: 0o755 });
    else if (!lstatSync(path).isDirectory()) throw new ImageInvalid(`/${name} of the image is not a folder`);
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(() => true, () => false);
}

async function moveIfFirst(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}
