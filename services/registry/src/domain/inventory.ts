import type { Fields } from './fields';

/** What a node has, as its agent reports it: compared, never trusted. */
export interface Inventory {
  readonly gpus: readonly Gpu[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
  readonly networkMbps: number;
  readonly driverVersion: string;
  readonly agentVersion: string;
  readonly containerDriver: string;
  readonly networkAllowed: boolean;
}

export interface Gpu {
  readonly index: number;
  readonly uuid: string;
  /** Empty on consumer cards, which report none. */
  readonly serial: string;
  readonly gpuModelId: string;
  readonly vramMib: number;
}

export const GPUS_PER_NODE_MAX = 16;
const IDENTITY_LENGTH_MAX = 128;
const VERSION_LENGTH_MAX = 64;
const CPU_MILLI_MAX = 4_096_000;
const INT32_MAX = 2 ** 31 - 1;
export const CONTAINER_DRIVERS = ['runc', 'docker'] as const;
/** Drivers keep a part of the memory back; less than this share of the model's is another card. */
const VRAM_SHARE_MIN_PERCENT = 90;

/** `vramMibOf` gives the catalogue's memory of a model, undefined for a model that it does not have. */
export function checkInventory(
  fields: Fields,
  inventory: Inventory,
  vramMibOf: (gpuModelId: string) => number | undefined,
): void {
  fields.range('inventory.cpu_milli', inventory.cpuMilli, 1, CPU_MILLI_MAX);
  fields.range('inventory.memory_mib', inventory.memoryMib, 1, INT32_MAX);
  fields.range('inventory.scratch_mib', inventory.scratchMib, 1, INT32_MAX);
  fields.range('inventory.network_mbps', inventory.networkMbps, 0, INT32_MAX);
  fields.optionalText('inventory.driver_version', inventory.driverVersion, VERSION_LENGTH_MAX);
  fields.optionalText('inventory.agent_version', inventory.agentVersion, VERSION_LENGTH_MAX);
  const driver = CONTAINER_DRIVERS.find((one) => one === inventory.containerDriver);
  fields.known('inventory.container_driver', driver, CONTAINER_DRIVERS);
  const { gpus } = inventory;
  if (gpus.length === 0) fields.add('inventory.gpus', 'REQUIRED', 'a node has at least one GPU');
  if (gpus.length > GPUS_PER_NODE_MAX)
    fields.add('inventory.gpus', 'TOO_MANY', `a node has at most ${GPUS_PER_NODE_MAX} GPUs`);
  for (const [position, gpu] of gpus.slice(0, GPUS_PER_NODE_MAX).entries()) {
    const path = `inventory.gpus[${position}]`;
    checkGpu(fields, path, gpu, vramMibOf);
    const before = gpus.slice(0, position);
    fields.require(!before.some(({ index }) => index === gpu.index), `${path}.index`, 'DUPLICATE', 'is named twice');
    fields.require(!before.some(({ uuid }) => uuid === gpu.uuid), `${path}.uuid`, 'DUPLICATE', 'is named twice');
    const serialTwice = gpu.serial !== '' && before.some(({ serial }) => serial === gpu.serial);
    fields.require(!serialTwice, `${path}.serial`, 'DUPLICATE', 'is named twice');
  }
}

function checkGpu(fields: Fields, path: string, gpu: Gpu, vramMibOf: (gpuModelId: string) => number | undefined): void {
  fields.range(`${path}.index`, gpu.index, 0, GPUS_PER_NODE_MAX - 1);
  fields.text(`${path}.uuid`, gpu.uuid, IDENTITY_LENGTH_MAX);
  fields.optionalText(`${path}.serial`, gpu.serial, IDENTITY_LENGTH_MAX);
  fields.range(`${path}.vram_mib`, gpu.vramMib, 1, INT32_MAX);
  const modelVramMib = vramMibOf(gpu.gpuModelId);
  if (modelVramMib === undefined) {
    fields.add(`${path}.gpu_model_id`, 'UNKNOWN_VALUE', 'must be a model of the catalogue');
  } else if (gpu.vramMib >= 1 && gpu.vramMib * 100 < modelVramMib * VRAM_SHARE_MIN_PERCENT) {
    fields.add(`${path}.vram_mib`, 'CONFLICT', `a card of this model has ${modelVramMib} MiB`);
  }
}

/** GPUs of a model. */
export const gpuCountOf = (inventory: Inventory | undefined, gpuModelId: string): number =>
  inventory?.gpus.filter((gpu) => gpu.gpuModelId === gpuModelId).length ?? 0;

/** The same cards in the same places: what admission was about. */
export function sameGpus(left: Inventory | undefined, right: Inventory): boolean {
  return JSON.stringify(left?.gpus.map(identityOf)) === JSON.stringify(right.gpus.map(identityOf));
}

const identityOf = ({ index, uuid, serial, gpuModelId, vramMib }: Gpu): unknown[] => [
  index,
  uuid,
  serial,
  gpuModelId,
  vramMib,
];

/** Nothing changed at all. */
export function sameInventory(left: Inventory | undefined, right: Inventory): boolean {
  return left !== undefined && JSON.stringify(canonical(left)) === JSON.stringify(canonical(right));
}

const canonical = (one: Inventory): unknown[] => [
  one.gpus.map(identityOf),
  one.cpuMilli,
  one.memoryMib,
  one.scratchMib,
  one.networkMbps,
  one.driverVersion,
  one.agentVersion,
  one.containerDriver,
  one.networkAllowed,
];
