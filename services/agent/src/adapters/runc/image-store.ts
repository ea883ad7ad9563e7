import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobSource, PreparedImage } from '../../application/ports';
import { ImageInvalid } from '../../domain/oci-manifest';
import type { BlobRef, ImageConfig, ImageLimits, OciManifest } from '../../domain/oci-manifest';
import { withProcessLock } from '../files/process-lock';
import { runCommand } from '../files/run-command';
import { fetchImage } from '../oci/fetch-image';
import { PrepareOnce } from '../oci/prepare-once';

const UNPACK_TIMEOUT_MS = 15 * 60_000;
/** Where the sandbox mounts something; each must be a plain folder of the image. */
const MOUNT_POINTS = ['proc', 'dev', 'tmp', 'scratch', 'inputs'];
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/**
 * Root file systems by image digest, unpacked once and shared read-only by every run and, because finished folders
 * only ever appear by a rename, by every agent of the machine. Files stay owned by the host's root, so nothing in a
 * sandbox can write them.
 */
export class ImageStore {
  private readonly once: PrepareOnce;

  constructor(
    private readonly folder: string,
    private readonly limits: ImageLimits,
  ) {
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    this.once = new PrepareOnce(limits.maxManifestBytes, (digest, blobs) => this.findOrUnpack(digest, blobs));
  }

  /** Throws ImageInvalid, BlobMissing. */
  prepare(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    return this.once.prepare(digest, blobs);
  }

  private async findOrUnpack(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    const target = join(this.folder, digest.slice('sha256:'.length));
    // Agents that share the folder get the same image at the same moment: one of them unpacks.
    if (!existsSync(target))
      await withProcessLock(`${target}.lock`, () =>
        existsSync(target) ? Promise.resolve() : this.unpack(digest, blobs, target),
      );
    const config = JSON.parse(await readFile(join(target, 'image.json'), 'utf8')) as ImageConfig;
    return {
      digest,
      location: join(target, 'rootfs'),
      env: config.env,
      command: [...config.entrypoint, ...config.command],
    };
  }

  private async unpack(digest: string, blobs: BlobSource, target: string): Promise<void> {
    const work = await mkdtemp(join(this.folder, 'unpacking-'));
    try {
      const layout = join(work, 'layout');
      const { manifest, config } = await fetchImage(digest, blobs, join(layout, 'blobs', 'sha256'), this.limits);
      await writeLayout(layout, manifest);
      await runCommand(
        'umoci',
        ['unpack', '--image', `${layout}:image`, join(work, 'bundle')],
        UNPACK_TIMEOUT_MS,
      ).catch(() => Promise.reject(new ImageInvalid('the layers cannot be unpacked')));
      const result = join(work, 'result');
      await mkdir(result);
      await rename(join(work, 'bundle', 'rootfs'), join(result, 'rootfs'));
      await makeHarmless(join(result, 'rootfs'));
      await writeFile(join(result, 'image.json'), JSON.stringify(config));
      await chmod(join(result, 'rootfs'), 0o755);
      await chmod(result, 0o711);
      await moveIfFirst(result, target);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
}

/** Writes what umoci reads: our own manifest of the checked parts, so that nothing else of the image's reaches it. */
async function writeLayout(layout: string, manifest: OciManifest): Promise<void> {
  const descriptor = (blob: BlobRef, mediaType: string): object => ({
    mediaType,
    digest: blob.digest,
    size: blob.sizeBytes,
  });
  const bytes = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor(manifest.config, 'application/vnd.oci.image.config.v1+json'),
    layers: manifest.layers.map((layer) =>
      descriptor(layer, `application/vnd.oci.image.layer.v1.tar${layer.compression === 'gzip' ? '+gzip' : ''}`),
    ),
  });
  const hex = createHash('sha256').update(bytes).digest('hex');
  await writeFile(join(layout, 'blobs', 'sha256', hex), bytes);
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const named = {
    ...descriptor({ digest: `sha256:${hex}`, sizeBytes: bytes.length }, MANIFEST_TYPE),
    annotations: { 'org.opencontainers.image.ref.name': 'image' },
  };
  await writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
}

/**
 * The files belong to the host's root, so a set-user-id program of an image would be one on the host, and a device
 * node a way to its disks: both are taken away. Missing mount points are made; one that is a link would let the
 * image choose where the sandbox mounts, so it is refused.
 */
async function makeHarmless(rootfs: string): Promise<void> {
  const find = (...tests: readonly string[]): Promise<string> =>
    runCommand('find', [rootfs, '-xdev', ...tests], UNPACK_TIMEOUT_MS);
  await find('(', '-type', 'f', '-o', '-type', 'd', ')', '-perm', '/6000', '-exec', 'chmod', 'a-s', '{}', '+');
  await find('(', '-type', 'b', '-o', '-type', 'c', ')', '-delete');
  for (const name of MOUNT_POINTS) {
    const path = join(rootfs, name);
    const stat = await lstat(path).catch(() => null);
    if (stat === null) await mkdir(path, { mode: 0o755 });
    else if (!stat.isDirectory()) throw new ImageInvalid(`/${name} of the image is not a folder`);
  }
}

async function moveIfFirst(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}
