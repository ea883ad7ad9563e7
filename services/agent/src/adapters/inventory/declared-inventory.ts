import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { InventoryError } from './inventory';
import type { Inventory } from './inventory';

const MIB_MAX = 2 ** 31 - 1;
const mib = z.number().int().positive().max(MIB_MAX);

/** The names of the proto's Inventory in JSON; what a declaration cannot decide (driver, network policy) is left out of it. */
const DECLARATION = z.object({
  gpus: z
    .array(
      z.object({
        gpuModelId: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/),
        vramMib: mib,
        uuid: z.string().min(1).max(128),
        serial: z.string().max(128).default(''),
      }),
    )
    .min(1)
    .max(16),
  cpuMilli: z.number().int().positive().max(1_024_000),
  memoryMib: mib,
  scratchMib: mib,
  networkMbps: z.number().int().nonnegative().default(0),
});

/** Reads an owner's declaration of GPUs that are not there. Throws InventoryError with every problem of the file. */
export function declaredInventory(path: string): Inventory {
  const parsed = DECLARATION.safeParse(readJson(path));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new InventoryError(`the inventory file is wrong: ${problems.join('; ')}`);
  }
  const { gpus, ...machine } = parsed.data;
  if (new Set(gpus.map((gpu) => gpu.uuid)).size < gpus.length)
    throw new InventoryError('the inventory file names a GPU uuid twice');
  return {
    ...machine,
    emulated: true,
    driverVersion: 'EMULATED',
    gpus: gpus.map(({ gpuModelId, ...gpu }, index) => ({ ...gpu, index, modelId: gpuModelId })),
  };
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new InventoryError(`the inventory file cannot be read: ${String(error)}`);
  }
}
