import { join } from 'node:path';
import type { Alarms, ContainerDriver, MonotonicClock } from '../application/ports';
import { IMAGE_LIMITS } from '../domain/oci-manifest';
import { ImageStore } from './runc/image-store';
import { RuncDriver } from './runc/runc-driver';
import { othersPass, sandboxFolder } from './runc/sandbox-folder';

export interface DriverChoice {
  readonly stateFolder: string;
  readonly sandboxFolder: string | null;
  readonly imageFolder: string | null;
  readonly nodeId: string;
  readonly keeperCommand: readonly string[];
  readonly backupKillMs: number;
}

/** runc in the first folder that its user namespace can reach. Throws when the folders of the configuration cannot be. */
export function runcDriver(choice: DriverChoice, clock: MonotonicClock, alarms: Alarms): ContainerDriver {
  const folder = choice.sandboxFolder ?? sandboxFolder(choice.stateFolder);
  const images = new ImageStore(choice.imageFolder ?? join(folder, 'images'), IMAGE_LIMITS);
  const { nodeId: nodeName, keeperCommand, backupKillMs } = choice;
  const driver = new RuncDriver({ folder, nodeName, keeperCommand, backupKillMs }, images, clock, alarms);
  for (const needed of [folder, choice.imageFolder ?? folder]) {
    if (!othersPass(needed)) throw new Error(`others may not pass through ${needed} or a folder above it (chmod o+x), so no sandbox could start there`);
  }
  return driver;
}
