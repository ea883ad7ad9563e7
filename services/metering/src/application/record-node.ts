import type { RecordTicks } from './record-ticks';
import type { Transaction } from './ports';

/** What the registry told of nodes: keys that sign ticks, revocations, ratings. */
export class RecordNode {
  constructor(private readonly recordTicks: RecordTicks) {}

  /** Blocks that waited for this key are read now. */
  async certified(tx: Transaction, nodeId: string, generation: number, publicKey: Uint8Array): Promise<void> {
    await tx.nodes.saveKey(nodeId, generation, publicKey);
    await this.recordTicks.execute(tx, await tx.nodes.unpark(nodeId, generation));
  }

  revoked(tx: Transaction, nodeId: string, timeMs: number): Promise<void> {
    return tx.nodes.revoke(nodeId, timeMs);
  }

  async rated(tx: Transaction, nodeId: string, mscuByGpuModel: Readonly<Record<string, number>>): Promise<void> {
    await tx.nodes.saveRatings(nodeId, mscuByGpuModel);
    await tx.leases.rate(nodeId);
  }
}
