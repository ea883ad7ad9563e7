import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { BlobSource, PreparedImage } from '../../application/ports';
import { ImageInvalid } from '../../domain/oci-manifest';
import type { ImageConfig, ImageLimits } from '../../domain/oci-manifest';
import { fetchImage } from '../oci/fetch-image';
import type { FetchedImage } from '../oci/fetch-image';
import { PrepareOnce } from '../oci/prepare-once';

/** Parts of an image's configuration that would give a run more than the sandbox allows: writable disks, background probes. */
const DROPPED_CONFIG = ['Volumes', 'Healthcheck', 'OnBuild', 'User', 'WorkingDir'];

/** Images in a Docker engine's own store, under a name made of their digest. */
export class DockerImages {
  private readonly once: PrepareOnce;

  constructor(
    private readonly docker: Docker,
    private readonly limits: ImageLimits,
  ) {
    this.once = new PrepareOnce(limits.maxManifestBytes, (digest, blobs) => this.findOrLoad(digest, blobs));
  }

  /** Throws ImageInvalid, BlobMissing. */
  prepare(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    return this.once.prepare(digest, blobs);
  }

  private async findOrLoad(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    const name = `daya-image:${digest.slice('sha256:'.length)}`;
    const found = await this.configOf(name);
    if (found === null) await this.load(digest, name, blobs);
    const config = found ?? (await this.configOf(name));
    if (config === null) throw new ImageInvalid('the engine did not take the image');
    return { digest, location: name, env: config.env, command: [...config.entrypoint, ...config.command] };
  }

  private async configOf(name: string): Promise<ImageConfig | null> {
    try {
      const { Config: config } = await this.docker.getImage(name).inspect();
      return { env: config.Env ?? [], entrypoint: [config.Entrypoint ?? []].flat(), command: config.Cmd ?? [] };
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return null;
      throw error;
    }
  }

  private async load(digest: string, name: string, blobs: BlobSource): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'daya-image-'));
    try {
      const image = await fetchImage(digest, blobs, folder, this.limits);
      await writeArchiveManifest(folder, name, image);
      const tar = spawn('tar', ['-C', folder, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'ignore'] });
      const answer = await this.docker.loadImage(tar.stdout);
      const lines = await new Promise<string>((resolve, reject) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
        answer.once('error', reject);
      });
      if (lines.includes('"error"')) throw new ImageInvalid('the layers cannot be unpacked');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/** The form that every engine's `load` understands, with a configuration that is ours where it matters. */
async function writeArchiveManifest(folder: string, name: string, { manifest, pathOf }: FetchedImage): Promise<void> {
  const document = JSON.parse(await readFile(pathOf(manifest.config.digest), 'utf8')) as {
    config?: Record<string, unknown>;
  };
  for (const key of DROPPED_CONFIG) delete document.config?.[key];
  await writeFile(join(folder, 'image-config.json'), JSON.stringify(document));
  const layers: string[] = [];
  for (const layer of manifest.layers) {
    const hex = layer.digest.slice('sha256:'.length);
    if (!layers.includes(`${hex}.tar`)) await rename(pathOf(layer.digest), join(folder, `${hex}.tar`));
    layers.push(`${hex}.tar`);
  }
  await writeFile(
    join(folder, 'manifest.json'),
    JSON.stringify([{ Config: 'image-config.json', RepoTags: [name], Layers: layers }]),
  );
}
