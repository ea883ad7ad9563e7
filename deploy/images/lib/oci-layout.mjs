import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' };
/** Every time stamp in an image, so that equal content gives an equal digest. */
const FIXED_TIME = '2026-01-01T00:00:00Z';
const TAR_ARGUMENTS = [
  '--sort=name',
  `--mtime=${FIXED_TIME}`,
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--format=gnu',
];

/**
 * Writes `rootfs` as an image layout of one layer, tagged `latest`. Equal content gives equal bytes.
 *
 * @param {{ rootfs: string, layoutFolder: string, config: object }} options config: OCI image `config` (Env, User …)
 */
export async function writeOciLayout({ rootfs, layoutFolder, config }) {
  const blobs = join(layoutFolder, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const layer = await writeLayer(rootfs, blobs);
  const platform = { architecture: ARCHITECTURES[process.arch] ?? process.arch, os: 'linux' };
  const configBlob = await writeJsonBlob(blobs, CONFIG, {
    created: FIXED_TIME,
    ...platform,
    config,
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created: FIXED_TIME, created_by: 'deploy/images/build.mjs' }],
  });
  const manifest = await writeJsonBlob(blobs, MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: configBlob,
    layers: [layer.descriptor],
  });
  const reference = { ...manifest, platform, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  await writeFile(join(layoutFolder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  await writeFile(join(layoutFolder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [reference] }));
}

/** Streams tar → gzip → file once, hashing both forms on the way. */
async function writeLayer(rootfs, blobs) {
  const tar = spawn('tar', [...TAR_ARGUMENTS, '-C', rootfs, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const tarEnded = new Promise((resolve, reject) => {
    tar.on('error', reject);
    tar.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`tar ended with ${code}`))));
  });
  const plain = createHash('sha256');
  const packed = createHash('sha256');
  const file = join(blobs, 'layer.partial');
  const hashed = (hash) => new PassThrough({ highWaterMark: 1 << 20 }).on('data', (chunk) => hash.update(chunk));
  await Promise.all([
    pipeline(
      tar.stdout,
      hashed(plain),
      createGzip({ level: 1, chunkSize: 1 << 18 }),
      hashed(packed),
      createWriteStream(file),
    ),
    tarEnded,
  ]);
  const hex = packed.digest('hex');
  const { size } = await stat(file);
  await rename(file, join(blobs, hex));
  return { diffId: `sha256:${plain.digest('hex')}`, descriptor: { mediaType: LAYER, digest: `sha256:${hex}`, size } };
}

async function writeJsonBlob(blobs, mediaType, content) {
  const bytes = Buffer.from(JSON.stringify(content));
  const hex = createHash('sha256').update(bytes).digest('hex');
  await writeFile(join(blobs, hex), bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}
