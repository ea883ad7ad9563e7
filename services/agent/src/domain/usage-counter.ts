/** One lease's running milliseconds so far. */
export interface UsageTick {
  readonly leaseId: string;
  readonly leaseToken: bigint;
  /** Milliseconds since Running on the agent's monotonic clock; cumulative, so a lost tick is healed by the next one. */
  readonly cumulativeMs: number;
  readonly final: boolean;
}

/** Runs that are being counted. */
export interface UsageCounter {
  readonly runs: ReadonlyMap<string, CountedRun>;
}

interface CountedRun {
  readonly leaseToken: bigint;
  readonly startedAtMs: number;
  readonly lastMs: number;
}

export const NOTHING_COUNTED: UsageCounter = { runs: new Map() };

/** Starts counting a lease at its Running report; starting twice is a bug. */
export function startCounting(counter: UsageCounter, leaseId: string, leaseToken: bigint, nowMs: number): UsageCounter {
  if (counter.runs.has(leaseId)) throw new Error(`lease ${leaseId} is already counted`);
  return { runs: new Map(counter.runs).set(leaseId, { leaseToken, startedAtMs: nowMs, lastMs: 0 }) };
}

/** Ticks of every counted lease. Counts never fall, also if the caller's clock would. */
export function tickAll(counter: UsageCounter, nowMs: number): readonly [UsageCounter, readonly UsageTick[]] {
  const runs = new Map<string, CountedRun>();
  const ticks: UsageTick[] = [];
  for (const [leaseId, run] of counter.runs) {
    const counted = countTo(run, nowMs);
    runs.set(leaseId, counted);
    ticks.push(tick(leaseId, counted, false));
  }
  return [{ runs }, ticks];
}

/** The last tick of a lease; null when it never ran. */
export function stopCounting(
  counter: UsageCounter,
  leaseId: string,
  endedAtMs: number,
): readonly [UsageCounter, UsageTick | null] {
  const run = counter.runs.get(leaseId);
  if (run === undefined) return [counter, null];
  const runs = new Map(counter.runs);
  runs.delete(leaseId);
  return [{ runs }, tick(leaseId, countTo(run, endedAtMs), true)];
}

function countTo(run: CountedRun, nowMs: number): CountedRun {
  return { ...run, lastMs: Math.max(run.lastMs, Math.floor(nowMs - run.startedAtMs)) };
}

function tick(leaseId: string, run: CountedRun, final: boolean): UsageTick {
  return { leaseId, leaseToken: run.leaseToken, cumulativeMs: run.lastMs, final };
}
