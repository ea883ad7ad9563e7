import type { Clock } from '@daya/kernel';
import { withSpan, type Logger } from '@daya/nest';
import type { CloseEpoch } from '../application/close-epoch';
import type { EpochStore } from '../application/ports';
import type { PublishEpochs } from '../application/publish-epochs';
import { REWARD_ASSETS, type RewardAsset } from '../domain/epoch-inputs';
import { epochAt, type Parameters } from '../domain/parameters';

const TICK_MS = 500;
/** A service that was away for long catches up in steps, so that it can be stopped in between. */
const EPOCHS_PER_TICK_MAX = 100;
const FORGET_EVERY_EPOCHS = 24;

/** What the clockwork drives. */
export abstract class EpochWork {
  abstract readonly close: CloseEpoch;
  abstract readonly publish: PublishEpochs;
  abstract readonly store: EpochStore;
  /** Drops what nothing needs any more. */
  abstract readonly forget: () => Promise<unknown>;
}

/** Closes and publishes epochs as they become due. A failure is logged and met again at the next tick. */
export class EpochClockwork {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;
  private closedSinceForgetting = 0;

  constructor(
    private readonly work: EpochWork,
    private readonly parameters: Parameters,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Begins the chains with the epoch that is running now. Throws when an existing chain counts epochs differently. */
  async start(): Promise<void> {
    const now = BigInt(Math.floor(this.clock.now().getTime() / 1_000));
    await this.work.store.beginChains(
      epochAt(this.parameters, now),
      this.parameters.genesisTime,
      this.parameters.epochSeconds,
    );
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.running;
  }

  private tick(): void {
    this.running ??= this.closeDue()
      .catch((error: unknown) => this.log.warn({ err: error }, 'no epoch could be closed; trying again'))
      .finally(() => (this.running = undefined));
  }

  private async closeDue(): Promise<void> {
    let closed = 0;
    for (const asset of REWARD_ASSETS) closed += await this.closeDueOf(asset);
    await this.work.publish.execute();
    this.closedSinceForgetting += closed;
    if (this.closedSinceForgetting < FORGET_EVERY_EPOCHS) return;
    await this.work.forget();
    this.closedSinceForgetting = 0;
  }

  private async closeDueOf(asset: RewardAsset): Promise<number> {
    for (let closed = 0; closed < EPOCHS_PER_TICK_MAX && !this.stopping; closed++) {
      if (!(await withSpan('close epoch', () => this.work.close.execute(asset)))) return closed;
      this.log.info({ asset }, 'epoch closed');
    }
    return EPOCHS_PER_TICK_MAX;
  }
}
