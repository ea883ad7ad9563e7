import { notFound, type Caller, scopeOf } from '@daya/kernel';
import { cumulativeTree, parseCumulativeAccounts } from '../domain/cumulative-root';
import type { RewardAsset } from '../domain/epoch-inputs';
import { cumulativeLeaf } from '../domain/merkle-tree';
import type { EpochCursor, EpochQueries, EpochView, RewardRow } from './ports';

export interface RewardProof {
  readonly root: string;
  readonly leaf: string;
  readonly proof: readonly string[];
  readonly address: string;
  readonly cumulativeVested: bigint;
}

/** Reads of what was published. All of it is public, so every member sees every account. */
export class ReadEpochs {
  constructor(private readonly queries: EpochQueries) {}

  /** Throws `not-found` EPOCH_NOT_FOUND. */
  async epoch(caller: Caller, asset: RewardAsset, number: bigint): Promise<EpochView> {
    const epoch = await this.queries.epoch(scopeOf(caller), asset, number);
    if (epoch === undefined) throw notFound('epoch', `${asset}/${number}`);
    return epoch;
  }

  epochs(caller: Caller, asset: RewardAsset | undefined, before: EpochCursor | undefined, limit: number): Promise<readonly EpochView[]> {
    return this.queries.epochs(scopeOf(caller), asset, before, limit);
  }

  /** Throws `not-found` EPOCH_NOT_FOUND. */
  async rewards(caller: Caller, asset: RewardAsset, number: bigint, after: string, limit: number): Promise<readonly RewardRow[]> {
    await this.epoch(caller, asset, number);
    return this.queries.rewards(scopeOf(caller), asset, number, after, limit);
  }

  /** The account's leaf in the epoch's root. Throws `not-found` EPOCH_NOT_FOUND, or REWARD_NOT_FOUND without a leaf. */
  async proof(caller: Caller, asset: RewardAsset, number: bigint, account: string): Promise<RewardProof> {
    const scope = scopeOf(caller);
    const text = await this.queries.fileText(scope, asset, number, 'accounts.json');
    if (text === undefined) throw notFound('epoch', `${asset}/${number}`);
    const address = await this.queries.addressOf(scope, asset, number, account);
    const published = JSON.parse(text) as { accounts: unknown[] };
    if (address === undefined || published.accounts.length === 0) throw notFound('reward', account);
    const list = parseCumulativeAccounts(published);
    const row = list.accounts.find((candidate) => candidate.account === address);
    if (row === undefined) throw notFound('reward', account);
    const tree = cumulativeTree(list);
    const leaf = cumulativeLeaf(list.chainId, list.distributor, row.account, row.cumulative);
    return { root: tree.root, leaf: `0x${Buffer.from(leaf).toString('hex')}`, proof: tree.proof(leaf), address, cumulativeVested: row.cumulative };
  }
}
