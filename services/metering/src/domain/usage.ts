import type { Timers } from '@daya/kernel';
import { billableStopMs, type Lease } from './lease';
import type { Tick } from './tick';

/** The second witness: what the agent's accepted ticks of a lease say so far. */
export interface AgentWord {
  /** Its highest cumulative counter. */
  readonly counterMs: bigint;
  /** When its newest tick was received; undefined: none came. */
  readonly watermarkMs: number | undefined;
  /** It said that no further tick follows. */
  readonly final: boolean;
}

/** What the agent has said once this accepted tick is heard too, in whatever order ticks are. */
export const heard = (word: AgentWord, tick: Tick): AgentWord => ({
  counterMs: tick.cumulativeMs > word.counterMs ? tick.cumulativeMs : word.counterMs,
  watermarkMs: Math.max(word.watermarkMs ?? tick.receiveMs, tick.receiveMs),
  final: word.final || tick.final,
});

/**
 * A closed stretch of a lease. Windows tile the billable time without gap or overlap. The `…Cumulative…` fields count from
 * the lease's start; a window's own share is the difference to the window before it.
 */
export interface UsageWindow {
  readonly startMs: number;
  readonly endMs: number;
  /** 1, and one more for every correction. */
  readonly version: number;
  /** The agent's counter that the window was closed on. */
  readonly agentCumulativeMs: bigint;
  readonly billableCumulativeMs: bigint;
  readonly final: boolean;
  /** Closed without waiting any longer for the agent's word. */
  readonly estimated: boolean;
}

type WindowTimers = Pick<Timers, 'usageWindowMs' | 'usageGraceMs' | 'usageEstimateMs'>;

/**
 * Brings a lease's windows up to what is known now: closes those that are due and corrects those that new facts changed.
 * Returns all windows in order; a changed one has a higher version. The same facts in any order of arrival end in the
 * same windows, up to their versions.
 *
 * A window is due when the agent's word is past its end by the grace, or the lease has ended and the agent said its last,
 * or (estimated) the agent has been silent too long. Billable is never more than either witness says
 * (docs/adr/0007, decisions "Billable"): cumulative min(scheduler's interval, agent's counter).
 */
export function settleWindows(
  lease: Lease,
  agent: AgentWord,
  closed: readonly UsageWindow[],
  nowMs: number,
  timers: WindowTimers,
): UsageWindow[] {
  const { startMs } = lease;
  if (startMs === undefined) return [...closed];
  const stopMs = stopOf(lease, startMs);
  const kept = closed.map((window, index) => trim(window, stopMs, index === closed.length - 1 ? agent : undefined));
  const grown = [...kept, ...dueWindows(lease, startMs, agent, kept, nowMs, timers)];
  return measure(startMs, stopMs, markFinal(grown, lease, agent, stopMs, nowMs, timers), closed);
}

/** A lease that ended before it could start (clamped) is billable for no time at all. */
function stopOf(lease: Lease, startMs: number): number | undefined {
  const stop = billableStopMs(lease);
  return stop === undefined ? undefined : Math.max(stop, startMs);
}

/** News of an earlier end cuts a window; a late word of the agent replaces the one that an estimate was made on. */
function trim(window: UsageWindow, stopMs: number | undefined, agent: AgentWord | undefined): UsageWindow {
  const endMs = stopMs === undefined ? window.endMs : Math.max(window.startMs, Math.min(window.endMs, stopMs));
  const lateWord = agent !== undefined && window.estimated && agent.counterMs > window.agentCumulativeMs;
  return { ...window, endMs, agentCumulativeMs: lateWord ? agent.counterMs : window.agentCumulativeMs };
}

function dueWindows(
  lease: Lease,
  startMs: number,
  agent: AgentWord,
  closed: readonly UsageWindow[],
  nowMs: number,
  timers: WindowTimers,
): UsageWindow[] {
  const stopMs = stopOf(lease, startMs);
  const due: UsageWindow[] = [];
  let from = closed.at(-1)?.endMs ?? startMs;
  if (closed.length > 0 && stopMs !== undefined && from >= stopMs) return [];
  for (;;) {
    const boundary = startMs + (Math.floor((from - startMs) / timers.usageWindowMs) + 1) * timers.usageWindowMs;
    const endMs = stopMs === undefined ? boundary : Math.min(boundary, stopMs);
    const why = dueBecause(endMs, lease, agent, nowMs, timers);
    if (why === undefined) return due;
    due.push({
      startMs: from,
      endMs,
      version: 0,
      agentCumulativeMs: agent.counterMs,
      billableCumulativeMs: 0n,
      final: false,
      estimated: why === 'silence',
    });
    from = endMs;
    if (stopMs !== undefined && from >= stopMs) return due;
  }
}

function dueBecause(
  endMs: number,
  lease: Lease,
  agent: AgentWord,
  nowMs: number,
  timers: WindowTimers,
): 'word' | 'silence' | undefined {
  if (lease.endMs !== undefined && agent.final) return 'word';
  const renewedPast = lease.endMs !== undefined || endMs <= lease.expireMs;
  if (!renewedPast) return undefined;
  const last = lease.endMs !== undefined && endMs === Math.min(lease.endMs, lease.expireMs);
  if (!last && agent.watermarkMs !== undefined && agent.watermarkMs >= endMs + timers.usageGraceMs) return 'word';
  const silentFromMs = lease.endMs === undefined ? endMs + patienceMs(lease, timers) : patienceEndMs(lease, timers);
  return nowMs >= silentFromMs ? 'silence' : undefined;
}

/** How long the agent's last word is waited for. A lost lease's agent has none: only what is still on its way can count. */
export function patienceMs(lease: Lease, timers: WindowTimers): number {
  return lease.lost ? timers.usageGraceMs : timers.usageEstimateMs;
}

/**
 * When an ended lease is closed without the agent's last word. The patience begins when the end was heard, not only when it
 * was: after an outage of the meter or of Kafka the news of the end and the spooled ticks come together, in any order.
 */
export function patienceEndMs(lease: Lease, timers: WindowTimers): number {
  return Math.max(lease.endMs ?? 0, lease.endHeardMs ?? 0) + patienceMs(lease, timers);
}

/** The last window is final once it reaches the billable stop and nobody is waited for. */
function markFinal(
  windows: readonly UsageWindow[],
  lease: Lease,
  agent: AgentWord,
  stopMs: number | undefined,
  nowMs: number,
  timers: WindowTimers,
): UsageWindow[] {
  const last = windows.at(-1);
  if (last === undefined || stopMs === undefined || last.endMs < stopMs) return [...windows];
  const settled = agent.final || nowMs >= patienceEndMs(lease, timers);
  if (!settled) return [...windows];
  // The agent's last word may have come after the window was closed on an earlier one.
  const agentCumulativeMs = agent.counterMs > last.agentCumulativeMs ? agent.counterMs : last.agentCumulativeMs;
  return [
    ...windows.slice(0, -1),
    { ...last, final: true, agentCumulativeMs, estimated: last.estimated && !agent.final },
  ];
}

/** Computes the cumulative billable time of every window and gives changed windows their next version. */
function measure(
  startMs: number,
  stopMs: number | undefined,
  windows: readonly UsageWindow[],
  before: readonly UsageWindow[],
): UsageWindow[] {
  let floor = 0n;
  return windows.map((window, index) => {
    const scheduler = BigInt(Math.min(window.endMs, stopMs ?? window.endMs) - startMs);
    const both = scheduler < window.agentCumulativeMs ? scheduler : window.agentCumulativeMs;
    const billableCumulativeMs = both > floor ? both : floor;
    floor = billableCumulativeMs;
    const measured = { ...window, billableCumulativeMs };
    const stored = before[index];
    if (stored === undefined) return { ...measured, version: 1 };
    return same(stored, measured) ? stored : { ...measured, version: stored.version + 1 };
  });
}

const same = (a: UsageWindow, b: UsageWindow): boolean =>
  a.endMs === b.endMs &&
  a.billableCumulativeMs === b.billableCumulativeMs &&
  a.agentCumulativeMs === b.agentCumulativeMs &&
  a.final === b.final &&
  a.estimated === b.estimated;

const DISAGREEMENT_MS_MIN = 2_000n;
const DISAGREEMENT_SHARE = 200n;

/** Whether two cumulative readings differ by more than max(2 s, 0.5 %), which opens a discrepancy. */
export function disagree(schedulerMs: bigint, agentMs: bigint): boolean {
  const difference = schedulerMs > agentMs ? schedulerMs - agentMs : agentMs - schedulerMs;
  const share = (schedulerMs > agentMs ? schedulerMs : agentMs) / DISAGREEMENT_SHARE;
  return difference > (share > DISAGREEMENT_MS_MIN ? share : DISAGREEMENT_MS_MIN);
}
