import type { Scope } from '@daya/kernel';
import type { ScopedTransactions } from '@daya/postgres';
import { EpochQueries, type EpochCursor, type EpochView, type RewardRow } from '../../application/ports';
import type { RewardAsset } from '../../domain/epoch-inputs';
import { fromEpochRow, fromRewardRow, type EpochRow, type RewardSqlRow } from './rows';

/** An epoch counts as closed for readers once its files are published. */
const PUBLISHED = `EXISTS (SELECT 1 FROM publication p WHERE p.asset = e.asset AND p.number = e.number)`;

export class PostgresEpochQueries extends EpochQueries {
  constructor(private readonly transactions: ScopedTransactions) {
    super();
  }

  override async epoch(scope: Scope, asset: RewardAsset, number: bigint): Promise<EpochView | undefined> {
    const [row] = await this.rows<EpochRow>(
      scope,
      `SELECT * FROM epoch e WHERE asset = $1 AND number = $2 AND ${PUBLISHED}`,
      [asset, number.toString()],
    );
    return row && fromEpochRow(row);
  }

  override async epochs(
    scope: Scope,
    asset: RewardAsset | undefined,
    before: EpochCursor | undefined,
    limit: number,
  ): Promise<readonly EpochView[]> {
    const rows = await this.rows<EpochRow>(
      scope,
      `SELECT * FROM epoch e WHERE ($1::text IS NULL OR asset = $1) AND ($2::bigint IS NULL OR (number, asset) < ($2, $3)) AND ${PUBLISHED}
       ORDER BY number DESC, asset DESC LIMIT $4`,
      [asset ?? null, before?.number.toString() ?? null, before?.asset ?? null, limit],
    );
    return rows.map(fromEpochRow);
  }

  override async rewards(
    scope: Scope,
    asset: RewardAsset,
    number: bigint,
    after: string,
    limit: number,
  ): Promise<readonly RewardRow[]> {
    const rows = await this.rows<RewardSqlRow>(
      scope,
      `SELECT * FROM reward WHERE asset = $1 AND number = $2 AND account COLLATE "C" > $3 ORDER BY account COLLATE "C" LIMIT $4`,
      [asset, number.toString(), after, limit],
    );
    return rows.map(fromRewardRow);
  }

  override async addressOf(
    scope: Scope,
    asset: RewardAsset,
    number: bigint,
    account: string,
  ): Promise<string | undefined> {
    const [row] = await this.rows<{ address: string }>(
      scope,
      `SELECT address FROM reward WHERE asset = $1 AND number <= $2 AND account = $3 AND amount > 0 ORDER BY number DESC LIMIT 1`,
      [asset, number.toString(), account],
    );
    return row?.address;
  }

  override async fileText(scope: Scope, asset: RewardAsset, number: bigint, name: string): Promise<string | undefined> {
    const [row] = await this.rows<{ text: string }>(
      scope,
      `SELECT text FROM epoch_file e WHERE asset = $1 AND number = $2 AND name = $3 AND ${PUBLISHED}`,
      [asset, number.toString(), name],
    );
    return row?.text;
  }

  private rows<T>(scope: Scope, sql: string, values: readonly unknown[]): Promise<T[]> {
    return this.transactions.run(scope, (em) => em.query<T[]>(sql, [...values]));
  }
}
