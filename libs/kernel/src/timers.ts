/**
 * Every timer of the platform in one table (docs/architecture.md, "Time"). Production scale is 1; demo and e2e run at 0.2.
 * What a person or a busy machine must answer in has a floor, which no scale goes below.
 */
export interface Timers {
  /** An agent reports this often, ± 20 % jitter. */
  readonly heartbeatMs: number;
  /** No heartbeat for this long: connectivity SUSPECT. */
  readonly suspectMs: number;
  /** The agent kills its containers this long after it SENT the last renewal that was acknowledged. */
  readonly selfFenceMs: number;
  /** A lease lives this long after the server's last receipt of a renewal. */
  readonly leaseTtlMs: number;
  /** No receipt for this long: the task is placed again and the GPUs are free (TTL + kill grace + skew). */
  readonly reassignMs: number;
  /** An offer that an agent has not answered is withdrawn. */
  readonly offerMs: number;
  readonly quoteMs: number;
  /** Renewals reach the database at least this often. */
  readonly renewalPersistMs: number;
  readonly usageWindowMs: number;
  /** A window closes when the watermark is this far past its end. */
  readonly usageGraceMs: number;
  /** A window without the agent's word closes as `estimated` after this. */
  readonly usageEstimateMs: number;
  readonly sweepMs: number;
}

const PRODUCTION = {
  heartbeatMs: 10_000,
  suspectMs: 25_000,
  selfFenceMs: 45_000,
  leaseTtlMs: 60_000,
  reassignMs: 75_000,
  offerMs: 10_000,
  quoteMs: 120_000,
  renewalPersistMs: 20_000,
  usageWindowMs: 60_000,
  usageGraceMs: 30_000,
  usageEstimateMs: 300_000,
  sweepMs: 30_000,
} as const satisfies Timers;

const FLOORS_MS: Partial<Timers> = { offerMs: 5_000, quoteMs: 60_000, sweepMs: 10_000 };

/** Scales the table; `scale` is in (0, 1]. Throws a plain Error outside it: a configuration bug. */
export function timersAt(scale: number): Timers {
  if (!(scale > 0 && scale <= 1)) throw new Error(`TIMER_SCALE must be above 0 and at most 1, got ${scale}`);
  const entries = Object.entries(PRODUCTION) as [keyof Timers, number][];
  return Object.fromEntries(
    entries.map(([name, ms]) => [name, Math.max(Math.round(ms * scale), FLOORS_MS[name] ?? 1)]),
  ) as unknown as Timers;
}
