/** What a node has. Sizes in MiB, processor time in thousandths of a core. */
export interface Inventory {
  /** True: declared by the owner, not found on the machine. */
  readonly emulated: boolean;
  readonly gpus: readonly InventoryGpu[];
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
  readonly networkMbps: number;
  readonly driverVersion: string;
}

export interface InventoryGpu {
  readonly index: number;
  readonly uuid: string;
  /** Empty on consumer cards, which report none. */
  readonly serial: string;
  /** A model of the catalogue, for example rtx-4090. */
  readonly modelId: string;
  readonly vramMib: number;
}

/** The node cannot say what it has; the message is for its owner. */
export class InventoryError extends Error {}
