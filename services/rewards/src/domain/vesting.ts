/**
 * What one account was awarded, in 1e-9 token, and the address it had declared by then. A new address gets later awards
 * only: what an old one could already claim must not become claimable twice.
 */
export interface Award {
  readonly account: string;
  readonly address: string;
  readonly amount: bigint;
}

/** The awards of one UTC day (days since 1970). */
export interface Bucket extends Award {
  readonly day: bigint;
}

export const VESTING_DAYS = 90n;
export const SECONDS_PER_DAY = 86_400n;
const VESTING_SECONDS = VESTING_DAYS * SECONDS_PER_DAY;

/** The half that is paid at once. */
export const liquidPart = (amount: bigint): bigint => amount / 2n;
/** The half that vests; an odd unit is locked. */
export const lockedPart = (amount: bigint): bigint => amount - liquidPart(amount);

/** Liquid half plus the locked half's linear share after `days` whole days; never falls, never exceeds `amount`. */
export function vestedAmount(amount: bigint, days: bigint): bigint {
  if (days < 0n) throw new Error('a bucket cannot lie in the future');
  const elapsed = days < VESTING_DAYS ? days : VESTING_DAYS;
  return liquidPart(amount) + (lockedPart(amount) * elapsed) / VESTING_DAYS;
}

/** What an early exit from `locked` pays after `seconds` since the award: 75 % at once, rising to all of it at 90 days. */
export function earlyExitAmount(locked: bigint, seconds: bigint): bigint {
  if (seconds < 0n) throw new Error('an exit cannot precede its award');
  const elapsed = seconds < VESTING_SECONDS ? seconds : VESTING_SECONDS;
  return (locked * (7_500n * VESTING_SECONDS + 2_500n * elapsed)) / (10_000n * VESTING_SECONDS);
}

/** Adds the awards of one day. What has wholly vested moves to day 0, so an account never has more than 92 buckets an address. */
export function addToBuckets(buckets: readonly Bucket[], today: bigint, awards: readonly Award[]): readonly Bucket[] {
  const merged = new Map<string, Bucket>();
  const add = (bucket: Bucket): void => {
    const key = `${bucket.day}/${bucket.address}/${bucket.account}`;
    merged.set(key, { ...bucket, amount: (merged.get(key)?.amount ?? 0n) + bucket.amount });
  };
  for (const bucket of buckets) add(today - bucket.day >= VESTING_DAYS ? { ...bucket, day: 0n } : bucket);
  for (const award of awards) add({ ...award, day: today });
  return [...merged.values()];
}

/** The cumulative vested amount at the end of `today`, per account or per address. */
export function cumulativeVested(
  buckets: readonly Bucket[],
  today: bigint,
  by: 'account' | 'address',
): ReadonlyMap<string, bigint> {
  const totals = new Map<string, bigint>();
  for (const bucket of buckets)
    totals.set(bucket[by], (totals.get(bucket[by]) ?? 0n) + vestedAmount(bucket.amount, today - bucket.day));
  return totals;
}
