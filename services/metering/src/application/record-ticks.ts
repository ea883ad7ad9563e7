import { DomainError } from '@daya/kernel';
import type { Tick } from '../domain/tick';
import type { BlockReader, SignedBlock, Transaction } from './ports';
import type { SettleLease } from './settle-lease';

/**
 * The second witness: stores every validly signed tick once, judges those whose lease is known, and lets the others wait.
 * A block whose key is not known yet waits too; one with a wrong signature is recorded as refused and counts nothing.
 */
export class RecordTicks {
  constructor(
    private readonly reader: BlockReader,
    private readonly settle: SettleLease,
  ) {}

  async execute(tx: Transaction, blocks: readonly SignedBlock[]): Promise<void> {
    const touched = new Set<string>();
    for (const block of blocks) {
      for (const leaseId of await this.store(tx, block)) touched.add(leaseId);
    }
    // In a fixed order, so that two consumers never wait for each other's leases.
    for (const leaseId of [...touched].sort()) await this.settle.execute(tx, leaseId);
  }

  private async store(tx: Transaction, block: SignedBlock): Promise<string[]> {
    const key = await tx.nodes.key(block.nodeId, block.generation);
    if (key === undefined) {
      await tx.nodes.park(block);
      return [];
    }
    const ticks = this.read(block);
    if (!this.reader.verify(block, key.publicKey)) return refuseAll(tx, ticks, 'BAD_SIGNATURE');
    // By the time of receipt: the news of the revocation may come long before or after these ticks.
    if (key.revokedMs !== undefined && block.receiveMs >= key.revokedMs) return refuseAll(tx, ticks, 'NODE_REVOKED');
    const leases: string[] = [];
    for (const tick of ticks) {
      const outcome = await tx.ticks.add(tick);
      if (outcome === 'added') leases.push(tick.leaseId);
      if (outcome === 'reused') await tx.ticks.refuse(tick, 'SEQUENCE_REUSED');
    }
    return leases;
  }

  /** What cannot be read holds no ticks that could count. */
  private read(block: SignedBlock): Tick[] {
    try {
      return this.reader.read(block);
    } catch (error) {
      if (error instanceof DomainError) return [];
      throw error;
    }
  }
}

async function refuseAll(
  tx: Transaction,
  ticks: readonly Tick[],
  reason: 'BAD_SIGNATURE' | 'NODE_REVOKED',
): Promise<string[]> {
  for (const tick of ticks) await tx.ticks.refuse(tick, reason);
  return [];
}
