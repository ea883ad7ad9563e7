import { declaredInventory } from './declared-inventory';
import { InventoryError } from './inventory';
import type { Inventory } from './inventory';
import { nvidiaInventory } from './nvidia-inventory';

export interface InventoryChoice {
  /** Read only when the machine has no nvidia-smi. */
  readonly declarationFile: string | null;
  readonly allowEmulated: boolean;
  readonly scratchFolder: string;
}

/** Real GPUs when there are any; else the declared ones, if that is allowed. Throws InventoryError. */
export async function findInventory(choice: InventoryChoice): Promise<Inventory> {
  const real = await nvidiaInventory(choice.scratchFolder);
  if (real !== null) return real;
  if (choice.declarationFile === null)
    throw new InventoryError('this machine has no nvidia-smi and INVENTORY_FILE is not set');
  if (!choice.allowEmulated)
    throw new InventoryError(
      'the GPUs of INVENTORY_FILE are emulated; set ALLOW_EMULATED_GPUS=true to join as a node that says so',
    );
  return declaredInventory(choice.declarationFile);
}
