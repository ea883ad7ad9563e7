import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Ticks } from '../../application/ports';
import type { Tick, TickRefusal } from '../../domain/tick';
import type { AgentWord } from '../../domain/usage';
import { toTick, type TickRow } from './rows';

const WAITING_PER_LEASE_MAX = 100_000;

export class PostgresTicks implements Ticks {
  constructor(private readonly em: EntityManager) {}

  async word(leaseId: string): Promise<AgentWord> {
    const [row]: { counter: string | null; watermark: Date | null; final: boolean | null }[] = await this.em.query(
      `SELECT max(cumulative_ms) AS counter, max(receive_time) AS watermark, bool_or(final) AS final
       FROM tick WHERE lease_id = $1 AND state = 'accepted'`,
      [leaseId],
    );
    return { counterMs: BigInt(row?.counter ?? 0), watermarkMs: row?.watermark?.getTime(), final: row?.final ?? false };
  }

  async add(tick: Tick): Promise<'added' | 'known' | 'reused'> {
    const added: unknown[] = await this.em.query(
      `INSERT INTO tick (node_id, boot_id, sequence, lease_id, lease_token, cumulative_ms, final, receive_time)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING 1`,
      [
        ...placeOf(tick),
        tick.leaseId,
        tick.leaseToken.toString(),
        tick.cumulativeMs.toString(),
        tick.final,
        new Date(tick.receiveMs),
      ],
    );
    if (added.length > 0) return 'added';
    const same: unknown[] = await this.em.query(
      `SELECT 1 FROM tick WHERE node_id = $1 AND boot_id = $2 AND sequence = $3
         AND lease_id = $4 AND lease_token = $5 AND cumulative_ms = $6 AND final = $7`,
      [...placeOf(tick), tick.leaseId, tick.leaseToken.toString(), tick.cumulativeMs.toString(), tick.final],
    );
    return same.length > 0 ? 'known' : 'reused';
  }

  async accept(tick: Tick): Promise<void> {
    await this.mark(tick, 'accepted');
  }

  async refuse(tick: Tick, reason: TickRefusal): Promise<void> {
    // A reused place belongs to the tick that had it first.
    if (reason !== 'SEQUENCE_REUSED') await this.mark(tick, 'refused');
    await write(
      this.em,
      `INSERT INTO refused_tick (node_id, boot_id, sequence, lease_id, lease_token, cumulative_ms, reason, receive_time)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
      [
        ...placeOf(tick),
        tick.leaseId,
        tick.leaseToken.toString(),
        tick.cumulativeMs.toString(),
        reason,
        new Date(tick.receiveMs),
      ],
    );
  }

  async waiting(leaseId: string): Promise<Tick[]> {
    const rows: TickRow[] = await this.em.query(
      `SELECT * FROM tick WHERE lease_id = $1 AND state = 'waiting' ORDER BY receive_time, boot_id, sequence LIMIT ${WAITING_PER_LEASE_MAX} FOR NO KEY UPDATE`,
      [leaseId],
    );
    return rows.map(toTick);
  }

  async acceptedAfter(leaseId: string, receivedAfterMs: number): Promise<Tick[]> {
    const rows: TickRow[] = await this.em.query(
      `SELECT * FROM tick WHERE lease_id = $1 AND state = 'accepted' AND receive_time > $2`,
      [leaseId, new Date(receivedAfterMs)],
    );
    return rows.map(toTick);
  }

  async giveUp(receivedBeforeMs: number, limit: number): Promise<number> {
    const rows: TickRow[] = await this.em.query(
      `SELECT * FROM tick WHERE state = 'waiting' AND receive_time < $1 LIMIT $2`,
      [new Date(receivedBeforeMs), limit],
    );
    for (const row of rows) await this.refuse(toTick(row), 'LEASE_NEVER_CAME');
    return rows.length;
  }

  private async mark(tick: Tick, state: 'accepted' | 'refused'): Promise<void> {
    await write(
      this.em,
      `UPDATE tick SET state = $4 WHERE node_id = $1 AND boot_id = $2 AND sequence = $3 AND state <> 'refused' AND lease_id = $5`,
      [...placeOf(tick), state, tick.leaseId],
    );
  }
}

const placeOf = (tick: Tick): [string, string, string] => [tick.nodeId, tick.bootId, tick.sequence.toString()];
