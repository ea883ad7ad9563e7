import type { IdGenerator } from '@daya/kernel';
import { appendEvent } from '@daya/messaging';
import { write, type ScopedTransactions } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { EpochStore, type Chain, type CloseTransaction } from '../../application/ports';
import type { PublishedFile } from '../../domain/close-epoch';
import { REWARD_ASSETS, type RewardAsset } from '../../domain/epoch-inputs';
import { toEpochClosed } from '../proto';
import { PostgresCloseTransaction, toChain } from './postgres-close-transaction';
import { fromEpochRow, type EpochRow } from './rows';

export class PostgresEpochStore extends EpochStore {
  constructor(
    private readonly transactions: ScopedTransactions,
    private readonly ids: IdGenerator,
  ) {
    super();
  }

  override transaction<T>(work: (tx: CloseTransaction) => Promise<T>): Promise<T> {
    return this.transactions.run('system', (em) => work(new PostgresCloseTransaction(em)));
  }

  override beginChains(epoch: bigint, genesisTime: bigint, epochSeconds: bigint): Promise<void> {
    const counting = [genesisTime.toString(), epochSeconds.toString()];
    return this.transactions.run('system', async (em) => {
      for (const asset of REWARD_ASSETS) {
        await write(
          em,
          `INSERT INTO reward_chain (asset, genesis_time, epoch_seconds, first_epoch, next_epoch) VALUES ($1, $2, $3, $4, $4) ON CONFLICT DO NOTHING`,
          [asset, ...counting, epoch.toString()],
        );
      }
      const other: unknown[] = await em.query(
        `SELECT 1 FROM reward_chain WHERE genesis_time <> $1 OR epoch_seconds <> $2`,
        counting,
      );
      if (other.length > 0)
        throw new Error('genesis_time and EPOCH_SECONDS may not change once the first epoch has begun');
    });
  }

  override chain(asset: RewardAsset): Promise<Chain> {
    return this.transactions.run('system', async (em) => {
      const [row]: { first_epoch: string; next_epoch: string }[] = await em.query(
        `SELECT first_epoch, next_epoch FROM reward_chain WHERE asset = $1`,
        [asset],
      );
      return toChain(asset, row);
    });
  }

  override nextUnpublished(): Promise<
    { readonly asset: RewardAsset; readonly epoch: bigint; readonly files: readonly PublishedFile[] } | undefined
  > {
    return this.transactions.run('system', async (em) => {
      const [row]: { asset: RewardAsset; number: string }[] = await em.query(
        `SELECT asset, number FROM epoch e WHERE NOT EXISTS (SELECT 1 FROM publication p WHERE p.asset = e.asset AND p.number = e.number)
         ORDER BY number, asset LIMIT 1`,
      );
      return row && { asset: row.asset, epoch: BigInt(row.number), files: await filesOf(em, row.asset, row.number) };
    });
  }

  override forgetHistory(): Promise<void> {
    const keptFrom = `(SELECT to_timestamp(min(genesis_time + next_epoch * epoch_seconds)) FROM reward_chain)`;
    return this.transactions.run('system', async (em) => {
      for (const [table, id] of [
        ['node_version', 'node_id'],
        ['offer_version', 'offer_id'],
      ]) {
        await write(
          em,
          `DELETE FROM ${table} v WHERE EXISTS
             (SELECT 1 FROM ${table} n WHERE n.${id} = v.${id} AND n.version > v.version AND n.change_time <= ${keptFrom})`,
        );
      }
    });
  }

  override markPublished(asset: RewardAsset, epoch: bigint): Promise<void> {
    const at = [asset, epoch.toString()];
    return this.transactions.run('system', async (em) => {
      const marked: unknown[] = await em.query(
        `INSERT INTO publication (asset, number) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1`,
        at,
      );
      if (marked.length === 0) return;
      const [row]: EpochRow[] = await em.query(`SELECT * FROM epoch WHERE asset = $1 AND number = $2`, at);
      if (row === undefined) throw new Error(`epoch ${epoch} of ${asset} is gone`);
      await appendEvent(em, toEpochClosed(this.ids.next(), fromEpochRow(row)));
    });
  }
}

async function filesOf(em: EntityManager, asset: RewardAsset, number: string): Promise<readonly PublishedFile[]> {
  const rows: { name: string; sha256: string; rows: string; text: string }[] = await em.query(
    `SELECT name, sha256, rows, text FROM epoch_file WHERE asset = $1 AND number = $2 ORDER BY position`,
    [asset, number],
  );
  return rows.map((row) => ({ ...row, rows: BigInt(row.rows) }));
}
