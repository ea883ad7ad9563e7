import { write } from '@daya/postgres';
import type { DataSource, EntityManager } from 'typeorm';

/** Another consumer moved the offset meanwhile; the transaction must not commit. */
export class OffsetConflict extends Error {}

/** The offsets of one batch consumer, in the handler's own database. */
export class PartitionOffsets {
  private readonly holes = new Map<string, bigint>();

  constructor(private readonly consumer: string) {}

  /** The offset to handle next; 0 for a partition never seen. */
  async read(db: DataSource, topic: string, partition: number): Promise<bigint> {
    const [row]: { next_offset: string }[] = await db.query(
      `SELECT next_offset FROM consumer_offset WHERE consumer = $1 AND topic = $2 AND partition = $3`,
      [this.consumer, topic, partition],
    );
    return row ? BigInt(row.next_offset) : 0n;
  }

  /** Moves `from` to `to` in the handler's transaction, first, so that a zombie waits here and fails. Throws OffsetConflict. */
  async advance(em: EntityManager, topic: string, partition: number, from: bigint, to: bigint): Promise<void> {
    const at = [this.consumer, topic, partition];
    if (from === 0n) {
      await write(
        em,
        `INSERT INTO consumer_offset (consumer, topic, partition, next_offset) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING`,
        at,
      );
    }
    const [, moved]: [unknown, number] = await em.query(
      `UPDATE consumer_offset SET next_offset = $5 WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next_offset = $4`,
      [...at, from.toString(), to.toString()],
    );
    if (moved !== 1) throw new OffsetConflict(`${this.consumer} ${topic}/${partition} is no longer at ${from}`);
  }

  /** True when reading from `next` was tried and brought a later message: nothing is there (compaction, expiry). */
  isHole(topic: string, partition: number, next: bigint): boolean {
    return this.holes.get(`${topic}/${partition}`) === next;
  }

  noteHole(topic: string, partition: number, next: bigint): void {
    this.holes.set(`${topic}/${partition}`, next);
  }
}
