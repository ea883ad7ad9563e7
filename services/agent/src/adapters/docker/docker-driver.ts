import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { ContainerDriver } from '../../application/ports';
import type { Alarms, BlobSource, MonotonicClock, PreparedImage, RunHandle, RunSpec } from '../../application/ports';
import type { ImageLimits } from '../../domain/oci-manifest';
import { layOutInputs } from '../keeper/inputs';
import { KeptRun } from '../keeper/kept-run';
import { RUN_FILES } from '../keeper/keeper-protocol';
import { makeRunFolder, removeRunFolder } from '../keeper/run-folder';
import { containerRequest } from './container-request';
import { DockerImages } from './docker-images';

const NODE_LABEL = 'daya.node';

export interface DockerSettings {
  readonly socket: string;
  readonly folder: string;
  readonly nodeName: string;
  readonly keeperCommand: readonly string[];
  readonly backupKillMs: number;
}

/** True when a Docker engine answers at the socket and gives containers users that are nobody on the host. */
export async function isDockerUsable(socketPath: string): Promise<boolean> {
  if (!existsSync(socketPath)) return false;
  try {
    const info = (await new Docker({ socketPath, timeout: 5_000 }).info()) as { SecurityOptions?: readonly string[] };
    return info.SecurityOptions?.some((option) => option.split(',').includes('name=userns')) === true;
  } catch {
    return false;
  }
}

/** Containers of a Docker engine that remaps users, locked down as runc's are. The only driver that passes real GPUs on. */
export class DockerDriver extends ContainerDriver {
  readonly name = 'docker';
  readonly hasNetwork = true;
  private readonly docker: Docker;
  private readonly images: DockerImages;
  private readonly runsFolder: string;

  constructor(
    private readonly settings: DockerSettings,
    limits: ImageLimits,
    private readonly clock: MonotonicClock,
    private readonly alarms: Alarms,
  ) {
    super();
    this.docker = new Docker({ socketPath: settings.socket });
    this.images = new DockerImages(this.docker, limits);
    this.runsFolder = join(settings.folder, 'docker-runs');
    mkdirSync(this.runsFolder, { recursive: true, mode: 0o711 });
    chmodSync(settings.folder, 0o711);
    chmodSync(this.runsFolder, 0o711);
  }

  prepareImage(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    return this.images.prepare(digest, blobs);
  }

  async start(spec: RunSpec, blobs: BlobSource): Promise<RunHandle> {
    const runFolder = join(this.runsFolder, spec.runId);
    if (existsSync(runFolder)) throw new Error(`run ${spec.runId} is already here`);
    try {
      // The engine's user map is its own secret, so the folders are open below one that cannot be listed.
      makeRunFolder(runFolder, spec.limits, null);
      await layOutInputs(join(runFolder, RUN_FILES.inputs), spec.inputs, spec.limits.inputBytes, blobs);
    } catch (error) {
      removeRunFolder(runFolder);
      throw error;
    }
    const { socket, nodeName, keeperCommand, backupKillMs } = this.settings;
    const create = containerRequest(spec, runFolder, { [NODE_LABEL]: nodeName }, process.arch);
    const order = {
      engine: { type: 'docker' as const, socket, create },
      containerId: this.containerName(spec.runId),
      runFolder,
      logLimitBytes: spec.limits.logBytes,
      maxWallMs: spec.limits.maxWallMs,
    };
    return new KeptRun(order, {
      clock: this.clock,
      alarms: this.alarms,
      keeperCommand: [...keeperCommand, 'docker'],
      backupKillMs,
      wipe: () => this.wipe(spec.runId),
    });
  }

  async sweep(): Promise<readonly string[]> {
    const containers = await this.docker.listContainers({
      all: true,
      filters: { label: [`${NODE_LABEL}=${this.settings.nodeName}`] },
    });
    for (const { Id: id } of containers) await this.docker.getContainer(id).remove({ force: true, v: true });
    const found = readdirSync(this.runsFolder);
    for (const runId of found) removeRunFolder(join(this.runsFolder, runId));
    return found;
  }

  private async wipe(runId: string): Promise<void> {
    await this.docker
      .getContainer(this.containerName(runId))
      .remove({ force: true, v: true })
      .catch((error: { statusCode?: number }) => (error.statusCode === 404 ? undefined : Promise.reject(error)));
    removeRunFolder(join(this.runsFolder, runId));
  }

  private containerName(runId: string): string {
    return `daya-${this.settings.nodeName}-${runId}`;
  }
}
