import type { Clock } from '@daya/kernel';
import { TICK_PATIENCE_MS } from '../domain/tick';
import type { Store } from './ports';
import type { SettleLease } from './settle-lease';

const LEASES_PER_SWEEP_MAX = 200;
const TICKS_PER_SWEEP_MAX = 1_000;

/** Closes what nobody sends news of any more: windows of silent agents, ticks of leases that never came. */
export class SweepLeases {
  constructor(
    private readonly store: Store,
    private readonly settle: SettleLease,
    private readonly clock: Clock,
  ) {}

  /** Returns how many leases were looked at. */
  async execute(): Promise<number> {
    const nowMs = this.clock.now().getTime();
    const due = await this.store.transaction((tx) => tx.leases.due(nowMs, LEASES_PER_SWEEP_MAX));
    for (const leaseId of due) await this.store.transaction((tx) => this.settle.execute(tx, leaseId));
    await this.store.transaction((tx) => tx.ticks.giveUp(nowMs - TICK_PATIENCE_MS, TICKS_PER_SWEEP_MAX));
    return due.length;
  }
}
