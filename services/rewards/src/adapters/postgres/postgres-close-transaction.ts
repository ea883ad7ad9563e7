import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Chain, CloseTransaction, CollectedFacts, Posting, RewardRow } from '../../application/ports';
import type { ClosedEpoch } from '../../domain/close-epoch';
import { deviceId, type EpochTime } from '../../domain/device-facts';
import type { RewardAsset } from '../../domain/epoch-inputs';
import { fromChargeRow, fromNodeVersionRow, type ChargeRow, type NodeVersionRow } from './rows';

interface ChainRow {
  readonly first_epoch: string;
  readonly next_epoch: string;
}

export const toChain = (asset: RewardAsset, row: ChainRow | undefined): Chain => {
  if (row === undefined) throw new Error(`the chain of ${asset} has not begun`);
  return { asset, firstEpoch: BigInt(row.first_epoch), nextEpoch: BigInt(row.next_epoch) };
};

/** Binds the ports of closing an epoch to one open transaction. */
export class PostgresCloseTransaction implements CloseTransaction {
  constructor(private readonly em: EntityManager) {}

  async lockChain(asset: RewardAsset): Promise<Chain> {
    const rows: ChainRow[] = await this.em.query(
      `SELECT first_epoch, next_epoch FROM reward_chain WHERE asset = $1 FOR UPDATE`,
      [asset],
    );
    return toChain(asset, rows[0]);
  }

  async collectFacts(asset: RewardAsset, epoch: bigint, { startMs, endMs }: EpochTime): Promise<CollectedFacts> {
    const [start, end] = [new Date(startMs), new Date(endMs)];
    const versions: NodeVersionRow[] = await this.em.query(
      `SELECT * FROM node_version v WHERE change_time < $2 AND NOT EXISTS
         (SELECT 1 FROM node_version n WHERE n.node_id = v.node_id AND n.version > v.version AND n.change_time <= $1) ORDER BY node_id, version`,
      [start, end],
    );
    const revoked: { node_id: string; revoke_time: Date }[] = await this.em.query(
      `SELECT node_id, revoke_time FROM node_revocation WHERE revoke_time < $1`,
      [end],
    );
    const offers: { node_id: string; gpu_class: string }[] = await this.em.query(
      `SELECT node_id, gpu_class FROM (SELECT DISTINCT ON (offer_id) * FROM offer_version WHERE change_time < $1
         ORDER BY offer_id, version DESC) latest WHERE open`,
      [end],
    );
    return {
      versions: versions.map(fromNodeVersionRow),
      revokedMs: new Map(revoked.map((row) => [row.node_id, row.revoke_time.getTime()])),
      offered: new Set(offers.map((row) => deviceId(row.node_id, row.gpu_class))),
      charges: await this.takeCharges(asset, epoch, end),
    };
  }

  private async takeCharges(asset: RewardAsset, epoch: bigint, end: Date): Promise<CollectedFacts['charges']> {
    await write(this.em, `UPDATE charge SET epoch = $2 WHERE asset = $1 AND epoch IS NULL AND post_time < $3`, [
      asset,
      epoch.toString(),
      end,
    ]);
    const rows: ChargeRow[] = await this.em.query(
      `SELECT * FROM charge WHERE asset = $1 AND epoch = $2 ORDER BY charge_id`,
      [asset, epoch.toString()],
    );
    return rows.map(fromChargeRow);
  }

  async predecessor({
    asset,
    firstEpoch,
    nextEpoch,
  }: Chain): Promise<{ readonly stateText: string; readonly manifestSha256: string } | undefined> {
    if (nextEpoch === firstEpoch) return undefined;
    const [row]: { text: string; manifest_sha256: string }[] = await this.em.query(
      `SELECT f.text, e.manifest_sha256 FROM epoch e JOIN epoch_file f USING (asset, number) WHERE asset = $1 AND number = $2 AND f.name = 'state.json'`,
      [asset, (nextEpoch - 1n).toString()],
    );
    if (row === undefined) throw new Error(`epoch ${nextEpoch - 1n} of ${asset} has no closing state`);
    return { stateText: row.text, manifestSha256: row.manifest_sha256 };
  }

  async insertEpoch(
    asset: RewardAsset,
    time: EpochTime,
    closed: ClosedEpoch,
    rewards: readonly RewardRow[],
    postings: readonly Posting[],
  ): Promise<void> {
    const at = [asset, closed.result.epoch.toString()];
    await this.insertEpochRow(at, time, closed);
    const files = [...closed.files, closed.manifest].map((file, position) => ({
      position,
      name: file.name,
      sha256: file.sha256,
      rows: file.rows.toString(),
      text: file.text,
    }));
    await this.insertRows('epoch_file', 'position integer, name text, sha256 text, rows bigint, text text', at, files);
    await this.insertRows(
      'reward',
      'account text, address text, amount bigint, cumulative_vested bigint, zero_reason text',
      at,
      rewards.map((row) => ({
        account: row.account,
        address: row.address,
        amount: row.amount.toString(),
        cumulative_vested: row.cumulativeVested.toString(),
        zero_reason: row.zeroReason,
      })),
    );
    const leaves = closed.leaves.accounts.map((row) => ({
      address: row.account,
      cumulative: row.cumulative.toString(),
    }));
    await this.insertRows('leaf', 'address text, cumulative bigint', at, leaves);
    const transfers = postings.map((row) => ({
      debit_account: row.debitAccount,
      credit_account: row.creditAccount,
      amount: row.amount.toString(),
    }));
    await this.insertRows('transfer', 'debit_account text, credit_account text, amount bigint', at, transfers);
    await write(this.em, `UPDATE reward_chain SET next_epoch = $2::bigint + 1 WHERE asset = $1`, at);
  }

  private async insertEpochRow(
    at: readonly string[],
    { startMs, endMs }: EpochTime,
    { result, closing, root, manifest, concentration }: ClosedEpoch,
  ): Promise<void> {
    const previous = (JSON.parse(manifest.text) as { previous_manifest_sha256: string | null })
      .previous_manifest_sha256;
    await write(
      this.em,
      `INSERT INTO epoch (asset, number, start_time, end_time, reserve_at_month_start, ceiling, emission, awarded, unissued, root, manifest_sha256,
         previous_manifest_sha256, top_owner_share_bps, hhi) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
      [
        ...at,
        new Date(startMs),
        new Date(endMs),
        ...[
          closing.reserveAtMonthStart,
          result.ceiling,
          result.available,
          result.issued,
          result.available - result.issued,
        ].map(String),
        root,
        manifest.sha256,
        previous,
        Number(concentration.topOwnerBps),
        Number(concentration.hhi),
      ],
    );
  }

  /** All rows in one statement, however many: a JSON array as a record set. */
  private async insertRows(
    table: string,
    columns: string,
    at: readonly string[],
    rows: readonly object[],
  ): Promise<void> {
    const names = columns.split(', ').map((column) => column.split(' ')[0]);
    await write(
      this.em,
      `INSERT INTO ${table} (asset, number, ${names.join(', ')}) SELECT $1, $2::bigint, r.* FROM jsonb_to_recordset($3::jsonb) AS r(${columns})`,
      [...at, JSON.stringify(rows)],
    );
  }
}
