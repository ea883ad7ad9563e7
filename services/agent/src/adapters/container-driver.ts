import { join } from 'node:path';
import type { Alarms, ContainerDriver, MonotonicClock } from '../application/ports';
import { IMAGE_LIMITS } from '../domain/oci-manifest';
import { DockerDriver, isDockerUsable } from './docker/docker-driver';
import { ImageStore } from './runc/image-store';
import { RuncDriver } from './runc/runc-driver';
import { othersPass, sandboxFolder } from './runc/sandbox-folder';

export interface DriverChoice {
  readonly wanted: 'auto' | 'runc' | 'docker';
  readonly dockerSocket: string;
  readonly stateFolder: string;
  readonly sandboxFolder: string | null;
  readonly imageFolder: string | null;
  readonly nodeId: string;
  readonly keeperCommand: readonly string[];
  readonly backupKillMs: number;
  /** Real GPUs must reach the task, which only Docker's runtime can do here. */
  readonly realGpus: boolean;
}

/**
 * Docker where an engine answers that remaps users, else runc. Throws when what is wanted is not there, and when the
 * folders of the configuration cannot be reached from a user namespace: better now than at the first task.
 */
export async function chooseDriver(choice: DriverChoice, clock: MonotonicClock, alarms: Alarms): Promise<ContainerDriver> {
  const folder = choice.sandboxFolder ?? sandboxFolder(choice.stateFolder);
  const dockerUsable = choice.wanted !== 'runc' && (await isDockerUsable(choice.dockerSocket));
  if (choice.wanted === 'docker' && !dockerUsable) throw new Error('CONTAINER_DRIVER is docker, but no engine answers that remaps users (userns-remap)');
  if (choice.realGpus && !dockerUsable) throw new Error('tasks reach real GPUs through a Docker engine with userns-remap and the NVIDIA runtime; none answers');
  const { nodeId: nodeName, keeperCommand, backupKillMs } = choice;
  if (dockerUsable) return new DockerDriver({ socket: choice.dockerSocket, folder, nodeName, keeperCommand, backupKillMs }, IMAGE_LIMITS, clock, alarms);
  const images = new ImageStore(choice.imageFolder ?? join(folder, 'images'), IMAGE_LIMITS);
  const driver = new RuncDriver({ folder, nodeName, keeperCommand, backupKillMs }, images, clock, alarms);
  for (const needed of [folder, choice.imageFolder ?? folder]) {
    if (!othersPass(needed)) throw new Error(`others may not pass through ${needed} or a folder above it (chmod o+x), so no sandbox could start there`);
  }
  return driver;
}
