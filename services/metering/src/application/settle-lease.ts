import type { Clock, Timers } from '@daya/kernel';
import { billableStopMs } from '../domain/lease';
import { judge, type Tick } from '../domain/tick';
import {
  disagree,
  heard,
  patienceEndMs,
  patienceMs,
  settleWindows,
  type AgentWord,
  type UsageWindow,
} from '../domain/usage';
import { recordOf } from '../domain/usage-record';
import type { LeaseRow, Transaction } from './ports';

/** What is stored of a lease beside it. */
export interface LeaseHistory {
  /** Ticks that wait for news of the lease, in order. */
  readonly waiting: readonly Tick[];
  readonly word: AgentWord;
  readonly windows: readonly UsageWindow[];
}

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
    const [lease, history] = await this.lock(tx, leaseId);
    if (lease !== undefined) await this.settle(tx, lease, history);
  }

  /** Locks a lease and reads what is stored of it, all in one go. */
  async lock(tx: Transaction, leaseId: string): Promise<[LeaseRow | undefined, LeaseHistory]> {
    const [lease, waiting, word, windows] = await Promise.all([
      tx.leases.lock(leaseId),
      tx.ticks.waiting(leaseId),
      tx.ticks.word(leaseId),
      tx.usage.windows(leaseId),
    ]);
    return [lease, { waiting, word, windows }];
  }

  /** As `execute`, of a lease that this transaction has locked. */
  async settle(tx: Transaction, lease: LeaseRow, history: LeaseHistory): Promise<void> {
    const { leaseId } = lease;
    const word = await this.hear(tx, lease, history);
    const before = history.windows;
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
  private async hear(tx: Transaction, lease: LeaseRow, { waiting, word: stored }: LeaseHistory): Promise<AgentWord> {
    let word = stored;
    if (lease.lost && lease.endMs !== undefined) {
      // They were heard before the news that the lease had ended.
      const late = await tx.ticks.acceptedAfter(lease.leaseId, lease.endMs);
      for (const tick of late) await tx.ticks.refuse(tick, 'LEASE_ENDED');
      if (late.length > 0) word = await tx.ticks.word(lease.leaseId);
    }
    for (const tick of waiting) {
      const verdict = judge(tick, lease, word.counterMs);
      if (verdict.state === 'refused') await tx.ticks.refuse(tick, verdict.reason);
      if (verdict.state !== 'accepted') continue;
      word = heard(word, tick);
      await tx.ticks.accept(tick);
    }
    return word;
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
