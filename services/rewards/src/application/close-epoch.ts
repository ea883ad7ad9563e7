import type { Clock } from '@daya/kernel';
import { closeEpoch, type ClosedEpoch, type Predecessor } from '../domain/close-epoch';
import { declaredAddresses, deviceFactsOf, type EpochTime } from '../domain/device-facts';
import type { EpochInputs, RewardAsset } from '../domain/epoch-inputs';
import { parseEpochState } from '../domain/epoch-state';
import { epochStart, type Parameters } from '../domain/parameters';
import { postingsOf, rewardsOf } from '../domain/reward-ledger';
import { SECONDS_PER_DAY, cumulativeVested } from '../domain/vesting';
import type { Chain, CloseTransaction, CollectedFacts, EpochStore, InputPositions } from './ports';

const MS_PER_SECOND = 1_000;

/**
 * Closes an asset's next epoch once its grace has passed and every input was read beyond its end. Whoever comes second
 * finds it closed: there is one root. Answers whether it closed one.
 */
export class CloseEpoch {
  /** Chains only grow: what is not due yet need not be asked for again. */
  private readonly notBefore = new Map<RewardAsset, Date>();

  constructor(
    private readonly store: EpochStore,
    private readonly positions: InputPositions,
    private readonly clock: Clock,
    private readonly parameters: Parameters,
  ) {}

  async execute(asset: RewardAsset): Promise<boolean> {
    const now = this.clock.now();
    if (now < (this.notBefore.get(asset) ?? now)) return false;
    const { nextEpoch } = await this.store.chain(asset);
    const due = this.dueTime(nextEpoch);
    this.notBefore.set(asset, due);
    if (now < due || !(await this.positions.passed(due))) return false;
    return this.store.transaction(async (tx) => {
      const chain = await tx.lockChain(asset);
      if (chain.nextEpoch !== nextEpoch) return false;
      await this.close(tx, chain);
      return true;
    });
  }

  private dueTime(epoch: bigint): Date {
    return new Date(Number(epochStart(this.parameters, epoch + 1n) + this.parameters.graceSeconds) * MS_PER_SECOND);
  }

  private async close(tx: CloseTransaction, chain: Chain): Promise<void> {
    const { asset, nextEpoch: epoch } = chain;
    const time = this.timeOf(epoch);
    const inputs = freeze(asset, epoch, time, await tx.collectFacts(asset, epoch, time));
    const before = await tx.predecessor(chain);
    const predecessor: Predecessor = before && {
      state: parseEpochState(JSON.parse(before.stateText)),
      manifestSha256: before.manifestSha256,
    };
    const closed = closeEpoch(this.parameters, inputs, predecessor);
    await tx.insertEpoch(
      asset,
      time,
      closed,
      rewardsOf(inputs, closed),
      postingsOf(closed, this.vestedBefore(predecessor, closed)),
    );
  }

  /** What the ledger holds as vested: the buckets as of the day on which the epoch before ended. */
  private vestedBefore(predecessor: Predecessor, closed: ClosedEpoch): ReadonlyMap<string, bigint> {
    if (predecessor === undefined) return new Map();
    const day = (epochStart(this.parameters, closed.result.epoch) - 1n) / SECONDS_PER_DAY;
    return cumulativeVested(predecessor.state.buckets, day, 'account');
  }

  private timeOf(epoch: bigint): EpochTime {
    const startMs = Number(epochStart(this.parameters, epoch)) * MS_PER_SECOND;
    return { startMs, endMs: startMs + Number(this.parameters.epochSeconds) * MS_PER_SECOND };
  }
}

function freeze(asset: RewardAsset, epoch: bigint, time: EpochTime, facts: CollectedFacts): EpochInputs {
  const addresses = declaredAddresses(facts.versions);
  return {
    epoch,
    asset,
    devices: deviceFactsOf(asset, facts.versions, facts.revokedMs, facts.offered, time),
    charges: facts.charges.map(({ postTimeMs, ...charge }) => ({
      ...charge,
      declaredAddress: addresses.get(charge.account) ?? '',
      late: postTimeMs < time.startMs,
    })),
  };
}
