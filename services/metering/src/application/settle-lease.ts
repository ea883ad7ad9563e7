import type { Clock, Timers } from '@daya/kernel';
import { billableStopMs } from '../domain/lease';
import { judge, type Tick } from '../domain/tick';
import { disagree, patienceEndMs, patienceMs, settleWindows, type AgentWord, type UsageWindow } from '../domain/usage';
import { recordOf } from '../domain/usage-record';
import type { LeaseRow, Transaction } from './ports';

const NO_WORD: AgentWord = { counterMs: 0n, watermarkMs: undefined, final: false };

/**
 * Brings one lease up to what is known of it: judges the ticks that waited, closes and corrects windows, announces what
 * changed. Doing it again changes nothing. A lease that nobody heard of is left alone.
 */
export class SettleLease {
  constructor(
    private readonly clock: Clock,
    private readonly timers: Timers,
  ) {}

  async execute(tx: Transaction, leaseId: string): Promise<void> {
    const lease = await tx.leases.lock(leaseId);
    if (lease !== undefined) await this.settle(tx, lease);
  }

  /** As `execute`, of a lease that this transaction has locked; one that is new has ticks at most that waited for it. */
  async settle(tx: Transaction, lease: LeaseRow, isNew = false): Promise<void> {
    const { leaseId } = lease;
    const waiting = await tx.ticks.waiting(leaseId);
    const isBlank = isNew && waiting.length === 0;
    const word = isBlank ? NO_WORD : await this.hear(tx, lease, waiting);
    const before = isBlank ? [] : await tx.usage.windows(leaseId);
    const nowMs = this.clock.now().getTime();
    const after = settleWindows(lease, word, before, nowMs, this.timers);
    for (const [index, window] of after.entries()) {
      if (window !== before[index]) await tx.usage.record(recordOf(lease, window, after[index - 1]));
    }
    await this.compare(tx, lease, after);
    const dueMs = this.nextLookMs(lease, after, nowMs);
    if (dueMs !== lease.dueMs) await tx.leases.schedule(leaseId, dueMs);
  }

  /** Judges waiting ticks in order; each accepted one raises the counter that the next is judged against. */
  private async hear(tx: Transaction, lease: LeaseRow, waiting: readonly Tick[]): Promise<AgentWord> {
    if (lease.lost && lease.endMs !== undefined) {
      // They were heard before the news that the lease had ended.
      for (const tick of await tx.ticks.acceptedAfter(lease.leaseId, lease.endMs))
        await tx.ticks.refuse(tick, 'LEASE_ENDED');
    }
    const word = await tx.ticks.word(lease.leaseId);
    if (waiting.length === 0) return word;
    let { counterMs } = word;
    for (const tick of waiting) {
      const verdict = judge(tick, lease, counterMs);
      if (verdict.state === 'refused') await tx.ticks.refuse(tick, verdict.reason);
      if (verdict.state !== 'accepted') continue;
      counterMs = tick.cumulativeMs;
      await tx.ticks.accept(tick);
    }
    return tx.ticks.word(lease.leaseId);
  }

  private async compare(tx: Transaction, lease: LeaseRow, windows: readonly UsageWindow[]): Promise<void> {
    const last = windows.at(-1);
    if (last?.final !== true || lease.startMs === undefined) return;
    const stopMs = billableStopMs(lease) ?? last.endMs;
    const schedulerMs = BigInt(Math.max(stopMs - lease.startMs, 0));
    // A late word may bring the witnesses together again.
    if (!disagree(schedulerMs, last.agentCumulativeMs)) return tx.usage.withdrawDispute(lease.leaseId);
    await tx.usage.dispute(lease, schedulerMs, last.agentCumulativeMs, last.billableCumulativeMs);
  }

  /** The latest moment at which something is due by itself: the next window, or the end of waiting for the agent. */
  private nextLookMs(lease: LeaseRow, windows: readonly UsageWindow[], nowMs: number): number | undefined {
    if (lease.startMs === undefined || windows.at(-1)?.final === true) return undefined;
    const soonest =
      lease.endMs === undefined
        ? (windows.at(-1)?.endMs ?? lease.startMs) + this.timers.usageWindowMs + patienceMs(lease, this.timers)
        : patienceEndMs(lease, this.timers);
    return Math.max(soonest, nowMs + 1);
  }
}
