import { join } from 'node:path';
import type { Alarms, ContainerDriver, MonotonicClock } from '../application/ports';
import { IMAGE_LIMITS } from '../domain/oci-manifest';
import { DockerDriver, isDockerUsable } from './docker/docker-driver';
import { ImageStore } from './runc/image-store';
import { RuncDriver } from './runc/runc-driver';
import { passableFolder } from './runc/passable-folder';

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
 * Docker where an engine answers that remaps users, else runc. Throws when what is wanted is not there: better now than
 * at the first task.
 */
export async function chooseDriver(
  choice: DriverChoice,
  clock: MonotonicClock,
  alarms: Alarms,
): Promise<ContainerDriver> {
  const folder = passableFolder(choice.sandboxFolder ?? join(choice.stateFolder, 'sandbox'));
  const dockerUsable = choice.wanted !== 'runc' && (await isDockerUsable(choice.dockerSocket));
  if (choice.wanted === 'docker' && !dockerUsable)
    throw new Error('CONTAINER_DRIVER is docker, but no engine answers that remaps users (userns-remap)');
  if (choice.realGpus && !dockerUsable)
    throw new Error(
      'tasks reach real GPUs through a Docker engine with userns-remap and the NVIDIA runtime; none answers',
    );
  const { nodeId: nodeName, keeperCommand, backupKillMs } = choice;
  if (dockerUsable)
    return new DockerDriver(
      { socket: choice.dockerSocket, folder, nodeName, keeperCommand, backupKillMs },
      IMAGE_LIMITS,
      clock,
      alarms,
    );
  const images = new ImageStore(
    choice.imageFolder === null ? join(folder, 'images') : passableFolder(choice.imageFolder),
    IMAGE_LIMITS,
  );
  return new RuncDriver({ folder, nodeName, keeperCommand, backupKillMs }, images, clock, alarms);
}
