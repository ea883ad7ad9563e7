import type { Scope } from '@daya/kernel';
import type { ClosedEpoch, PublishedFile } from '../domain/close-epoch';
import type { NodeVersion, EpochTime } from '../domain/device-facts';
import type { ChargeFact, RewardAsset } from '../domain/epoch-inputs';

/** Where an asset's chain of epochs stands. */
export interface Chain {
  readonly asset: RewardAsset;
  readonly firstEpoch: bigint;
  readonly nextEpoch: bigint;
}

/** A charge as billing announced it, before it belongs to an epoch. */
export type PostedCharge = Omit<ChargeFact, 'declaredAddress' | 'late'> & { readonly postTimeMs: number };

/** The facts that the service has collected about one epoch. */
export interface CollectedFacts {
  /** Each node's versions within the epoch and the one that held when it began. */
  readonly versions: readonly NodeVersion[];
  readonly revokedMs: ReadonlyMap<string, number>;
  /** Devices with an open offer when the epoch ended. */
  readonly offered: ReadonlySet<string>;
  /** Charges posted before the epoch's end that no epoch has yet; from here on they are this epoch's. */
  readonly charges: readonly PostedCharge[];
}

/** Everything that closing an epoch may touch, in one transaction. There is no other handle to the database. */
export interface CloseTransaction {
  /** Locks the asset's chain until the end; a second closer waits here and then finds the epoch closed. */
  lockChain(asset: RewardAsset): Promise<Chain>;
  collectFacts(asset: RewardAsset, epoch: bigint, time: EpochTime): Promise<CollectedFacts>;
  /** The texts that the epoch before published; undefined before the first. */
  predecessor(chain: Chain): Promise<{ readonly stateText: string; readonly manifestSha256: string } | undefined>;
  /** Stores the epoch, its files, rewards, leaves and ledger rows, and moves the chain on. */
  insertEpoch(
    asset: RewardAsset,
    time: EpochTime,
    closed: ClosedEpoch,
    rewards: readonly RewardRow[],
    postings: readonly Posting[],
  ): Promise<void>;
}

export abstract class EpochStore {
  abstract transaction<T>(work: (tx: CloseTransaction) => Promise<T>): Promise<T>;
  /** Begins each asset's chain at `epoch` unless it has begun. Throws a plain Error when it counts epochs differently. */
  abstract beginChains(epoch: bigint, genesisTime: bigint, epochSeconds: bigint): Promise<void>;
  abstract chain(asset: RewardAsset): Promise<Chain>;
  /** The oldest epoch whose files are not published yet. */
  abstract nextUnpublished(): Promise<
    { readonly asset: RewardAsset; readonly epoch: bigint; readonly files: readonly PublishedFile[] } | undefined
  >;
  /** Drops what no open epoch can need any more: superseded versions of nodes and offers. */
  abstract forgetHistory(): Promise<void>;
  /** Marks the epoch published and announces it, once. */
  abstract markPublished(asset: RewardAsset, epoch: bigint): Promise<void>;
}

export interface RewardRow {
  readonly account: string;
  readonly address: string;
  readonly amount: bigint;
  readonly cumulativeVested: bigint;
  /** Empty unless the amount is zero. */
  readonly zeroReason: string;
}

/** One row of the reward ledger: `amount` moves from one account to the other. */
export interface Posting {
  readonly debitAccount: string;
  readonly creditAccount: string;
  readonly amount: bigint;
}

/** Knows how far the service has read its inputs. */
export abstract class InputPositions {
  /** True when everything that was in the inputs at `dueTime` or later has been taken in. Throws while the broker is away. */
  abstract passed(dueTime: Date): Promise<boolean>;
}

/** Where epochs are published for everybody. */
export abstract class Publication {
  /** Puts an epoch's files there all at once or not at all; a second time changes nothing. */
  abstract publish(asset: RewardAsset, epoch: bigint, files: readonly PublishedFile[]): Promise<void>;
}

export interface EpochView {
  readonly number: bigint;
  readonly asset: RewardAsset;
  readonly startTime: Date;
  readonly endTime: Date;
  readonly emission: bigint;
  readonly awarded: bigint;
  readonly unissued: bigint;
  readonly root: string;
  readonly manifestSha256: string;
  readonly topOwnerShareBps: number;
  readonly hhi: number;
}

/** Reads of published epochs; all of it is public. */
export abstract class EpochQueries {
  abstract epoch(scope: Scope, asset: RewardAsset, number: bigint): Promise<EpochView | undefined>;
  /** Newest first; `before` is the last row of the page before. */
  abstract epochs(
    scope: Scope,
    asset: RewardAsset | undefined,
    before: EpochCursor | undefined,
    limit: number,
  ): Promise<readonly EpochView[]>;
  /** By account; `after` is the last account of the page before. */
  abstract rewards(
    scope: Scope,
    asset: RewardAsset,
    number: bigint,
    after: string,
    limit: number,
  ): Promise<readonly RewardRow[]>;
  /** The address that the account's awards went to by then; undefined when it never had any. */
  abstract addressOf(scope: Scope, asset: RewardAsset, number: bigint, account: string): Promise<string | undefined>;
  /** The text of a published file; undefined when there is no such epoch. */
  abstract fileText(scope: Scope, asset: RewardAsset, number: bigint, name: string): Promise<string | undefined>;
}

export interface EpochCursor {
  readonly number: bigint;
  readonly asset: RewardAsset;
}
