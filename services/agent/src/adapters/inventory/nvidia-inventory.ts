import { statfsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { runCommand } from '../files/run-command';
import { InventoryError } from './inventory';
import type { Inventory, InventoryGpu } from './inventory';

const QUERY = ['index', 'uuid', 'serial', 'name', 'memory.total', 'driver_version'];
const TIMEOUT_MS = 30_000;
const MIB = 2 ** 20;

/** What of the machine the owner keeps back for the agent and the system. */
const KEPT_MEMORY_MIB = 1_024;

/** Models of the catalogue by what the driver calls them; the first match counts, so longer names come first. */
const MODEL_NAMES: readonly (readonly [RegExp, string])[] = [
  [/RTX 3090/, 'rtx-3090'],
  [/RTX 4090/, 'rtx-4090'],
  [/RTX 5090/, 'rtx-5090'],
  [/A100-PCIE-40GB/, 'a100-40-pcie'],
  [/A100 80GB PCIe/, 'a100-80-pcie'],
  [/A100-SXM4-40GB/, 'a100-40-sxm'],
  [/A100-SXM4-80GB/, 'a100-80-sxm'],
  [/H100 PCIe/, 'h100-80-pcie'],
  [/H100/, 'h100-80-sxm'],
  [/H200/, 'h200-141-sxm'],
  [/L40S/, 'l40s'],
  [/L4\b/, 'l4'],
];

/** The GPUs that the driver reports; null when the machine has no nvidia-smi. Throws InventoryError when it has one that does not answer. */
export async function nvidiaInventory(scratchFolder: string): Promise<Inventory | null> {
  let output: string;
  try {
    output = await runCommand(
      'nvidia-smi',
      [`--query-gpu=${QUERY.join(',')}`, '--format=csv,noheader,nounits'],
      TIMEOUT_MS,
    );
  } catch (error) {
    if (String(error).includes('ENOENT')) return null;
    throw new InventoryError(`nvidia-smi does not answer: ${String(error)}`);
  }
  return inventoryOf(output, {
    cpuMilli: availableParallelism() * 1_000,
    memoryMib: Math.max(0, Math.floor(totalmem() / MIB) - KEPT_MEMORY_MIB),
    scratchMib: freeMib(scratchFolder),
  });
}

/** Reads nvidia-smi's lines. Throws InventoryError on a line that it does not understand. */
export function inventoryOf(
  output: string,
  machine: Pick<Inventory, 'cpuMilli' | 'memoryMib' | 'scratchMib'>,
): Inventory {
  const rows = output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(',').map((cell) => cell.trim()));
  if (rows.length === 0) throw new InventoryError('nvidia-smi reports no GPU');
  return { ...machine, emulated: false, networkMbps: 0, driverVersion: rows[0]?.[5] ?? '', gpus: rows.map(gpuOf) };
}

function gpuOf(cells: readonly string[]): InventoryGpu {
  const [index = '', uuid = '', serial = '', name = '', vram = ''] = cells;
  if (cells.length !== QUERY.length || !/^\d+$/.test(index) || !/^\d+$/.test(vram) || uuid === '') {
    throw new InventoryError(`nvidia-smi answered a line that is not understood: ${cells.join(', ')}`);
  }
  return {
    index: Number(index),
    uuid,
    serial: serial.startsWith('[') ? '' : serial,
    modelId: modelIdOf(name),
    vramMib: Number(vram),
  };
}

/** A card that the catalogue does not know keeps its own name, so that the registry can say which one it refuses. */
function modelIdOf(name: string): string {
  const known = MODEL_NAMES.find(([pattern]) => pattern.test(name));
  return (
    known?.[1] ??
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
  );
}

function freeMib(folder: string): number {
  const space = statfsSync(folder);
  return Math.floor((space.bavail * space.bsize) / MIB);
}
