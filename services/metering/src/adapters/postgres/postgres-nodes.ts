import { createHash } from 'node:crypto';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Nodes, SignedBlock } from '../../application/ports';

interface ParkedRow {
  node_id: string;
  generation: number;
  block: Buffer;
  signature: Buffer;
  receive_time: Date;
}

/** A lease that finds no rating and a rating that finds no lease must not pass each other. */
const RATINGS_OF = 'hashtextextended($1::text, 1)';

export class PostgresNodes implements Nodes {
  constructor(private readonly em: EntityManager) {}

  async key(
    nodeId: string,
    generation: number,
  ): Promise<{ publicKey: Uint8Array; revokedMs: number | undefined } | undefined> {
    const [row]: { public_key: Buffer; revoke_time: Date | null }[] = await this.em.query(
      `SELECT public_key, revoke_time FROM node_key WHERE node_id = $1 AND generation = $2`,
      [nodeId, generation],
    );
    return row && { publicKey: row.public_key, revokedMs: row.revoke_time?.getTime() };
  }

  async saveKey(nodeId: string, generation: number, publicKey: Uint8Array): Promise<void> {
    await write(
      this.em,
      `INSERT INTO node_key (node_id, generation, public_key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
      [nodeId, generation, Buffer.from(publicKey)],
    );
  }

  async revoke(nodeId: string, timeMs: number): Promise<void> {
    await write(this.em, `UPDATE node_key SET revoke_time = $2 WHERE node_id = $1 AND revoke_time IS NULL`, [
      nodeId,
      new Date(timeMs),
    ]);
  }

  async saveRatings(nodeId: string, mscuByGpuModel: Readonly<Record<string, number>>): Promise<void> {
    await write(this.em, `SELECT pg_advisory_xact_lock(${RATINGS_OF})`, [nodeId]);
    await write(
      this.em,
      `INSERT INTO node_rating (node_id, gpu_model_id, mscu)
       SELECT $1, model, mscu FROM unnest($2::text[], $3::int[]) AS rating (model, mscu)
       ON CONFLICT (node_id, gpu_model_id) DO UPDATE SET mscu = excluded.mscu`,
      [nodeId, Object.keys(mscuByGpuModel), Object.values(mscuByGpuModel)],
    );
  }

  async rating(nodeId: string, gpuModelId: string): Promise<number> {
    await write(this.em, `SELECT pg_advisory_xact_lock_shared(${RATINGS_OF})`, [nodeId]);
    const [row]: { mscu: number }[] = await this.em.query(
      `SELECT mscu FROM node_rating WHERE node_id = $1 AND gpu_model_id = $2`,
      [nodeId, gpuModelId],
    );
    return row?.mscu ?? 0;
  }

  async park({ nodeId, generation, block, signature, receiveMs }: SignedBlock): Promise<void> {
    await write(
      this.em,
      `INSERT INTO parked_block (block_sha256, node_id, generation, block, signature, receive_time)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      [sha256(block, signature), nodeId, generation, Buffer.from(block), Buffer.from(signature), new Date(receiveMs)],
    );
  }

  async unpark(nodeId: string, generation: number): Promise<SignedBlock[]> {
    const [rows]: [ParkedRow[], number] = await this.em.query(
      `DELETE FROM parked_block WHERE node_id = $1 AND generation = $2 RETURNING *`,
      [nodeId, generation],
    );
    return rows
      .map((row) => ({
        nodeId,
        generation,
        block: row.block,
        signature: row.signature,
        receiveMs: row.receive_time.getTime(),
      }))
      .sort((a, b) => a.receiveMs - b.receiveMs);
  }
}

const sha256 = (...parts: Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
