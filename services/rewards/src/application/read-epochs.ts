import { notFound, scopeOf, type Caller, type Scope } from '@daya/kernel';
import { cumulativeTree, parseCumulativeAccounts, type CumulativeAccounts } from '../domain/cumulative-root';
import type { RewardAsset } from '../domain/epoch-inputs';
import { cumulativeLeaf, type MerkleTree } from '../domain/merkle-tree';
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
  /** Building a tree of many leaves takes seconds, and a closed epoch's never changes. */
  private readonly trees = new Map<string, ProofSource>();

  constructor(private readonly queries: EpochQueries) {}

  /** Throws `not-found` EPOCH_NOT_FOUND. */
  async epoch(caller: Caller, asset: RewardAsset, number: bigint): Promise<EpochView> {
    const epoch = await this.queries.epoch(scopeOf(caller), asset, number);
    if (epoch === undefined) throw notFound('epoch', `${asset}/${number}`);
    return epoch;
  }

  epochs(
    caller: Caller,
    asset: RewardAsset | undefined,
    before: EpochCursor | undefined,
    limit: number,
  ): Promise<readonly EpochView[]> {
    return this.queries.epochs(scopeOf(caller), asset, before, limit);
  }

  /** Throws `not-found` EPOCH_NOT_FOUND. */
  async rewards(
    caller: Caller,
    asset: RewardAsset,
    number: bigint,
    after: string,
    limit: number,
  ): Promise<readonly RewardRow[]> {
    await this.epoch(caller, asset, number);
    return this.queries.rewards(scopeOf(caller), asset, number, after, limit);
  }

  /** The account's leaf in the epoch's root. Throws `not-found` EPOCH_NOT_FOUND, or REWARD_NOT_FOUND without a leaf. */
  async proof(caller: Caller, asset: RewardAsset, number: bigint, account: string): Promise<RewardProof> {
    const scope = scopeOf(caller);
    const source = await this.proofSource(scope, asset, number);
    const address = await this.queries.addressOf(scope, asset, number, account);
    const cumulative = address === undefined ? undefined : source?.cumulative.get(address);
    if (source === undefined || address === undefined || cumulative === undefined) throw notFound('reward', account);
    const leaf = cumulativeLeaf(source.list.chainId, source.list.distributor, address, cumulative);
    return {
      root: source.tree.root,
      leaf: `0x${Buffer.from(leaf).toString('hex')}`,
      proof: source.tree.proof(leaf),
      address,
      cumulativeVested: cumulative,
    };
  }

  /** Undefined when nothing was ever awarded. Throws `not-found` EPOCH_NOT_FOUND. */
  private async proofSource(scope: Scope, asset: RewardAsset, number: bigint): Promise<ProofSource | undefined> {
    const key = `${asset}/${number}`;
    const known = this.trees.get(key);
    if (known !== undefined) return known;
    const text = await this.queries.fileText(scope, asset, number, 'accounts.json');
    if (text === undefined) throw notFound('epoch', key);
    const published = JSON.parse(text) as { readonly accounts: readonly unknown[] };
    if (published.accounts.length === 0) return undefined;
    const list = parseCumulativeAccounts(published);
    const source = {
      list,
      tree: cumulativeTree(list),
      cumulative: new Map(list.accounts.map((row) => [row.account, row.cumulative])),
    };
    const [oldest] = this.trees.keys();
    if (oldest !== undefined && this.trees.size >= TREES_KEPT) this.trees.delete(oldest);
    this.trees.set(key, source);
    return source;
  }
}

const TREES_KEPT = 4;

interface ProofSource {
  readonly list: CumulativeAccounts;
  readonly tree: MerkleTree;
  readonly cumulative: ReadonlyMap<string, bigint>;
}
