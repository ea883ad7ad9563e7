import { AMOUNT_MAX, BASIS_POINTS, DomainError } from '@daya/kernel';

/** Milliseconds of an hour × the thousandths of a GPU. */
const MILLI_GPU_MS_PER_GPU_HOUR = 3_600_000_000n;

/** The price of one lease. */
export interface Rate {
  readonly priceMicrosPerGpuHour: bigint;
  /** 1,000 × GPUs, or the fraction. */
  readonly gpuMilli: number;
  /** The platform's part of the price, in hundredths of a percent. */
  readonly feeBps: bigint;
}

/** charge = fee + provider, all in micros. */
export interface Split {
  readonly charge: bigint;
  readonly fee: bigint;
  readonly provider: bigint;
}

export const NOTHING: Split = { charge: 0n, fee: 0n, provider: 0n };

/** What a lease has cost after `billableMs` in all; rounds down. Throws `invalid` AMOUNT_OUT_OF_RANGE. */
export function chargeMicros({ priceMicrosPerGpuHour, gpuMilli }: Omit<Rate, 'feeBps'>, billableMs: bigint): bigint {
  if (priceMicrosPerGpuHour < 0n || gpuMilli < 0 || billableMs < 0n)
    throw new Error('a rate and a time are never negative');
  const charge = (priceMicrosPerGpuHour * BigInt(gpuMilli) * billableMs) / MILLI_GPU_MS_PER_GPU_HOUR;
  if (charge > AMOUNT_MAX) {
    throw new DomainError('invalid', 'AMOUNT_OUT_OF_RANGE', 'price × GPUs × time does not fit 64 bits', {
      micros: String(charge),
    });
  }
  return charge;
}

/** The fee inside a cumulative charge; rounds down, so the provider keeps the remainder. */
export const feeMicros = (cumulativeCharge: bigint, feeBps: bigint): bigint =>
  (cumulativeCharge * feeBps) / BASIS_POINTS;

/** Splits what a lease has cost in all after `billableMs`. */
export function splitAt(rate: Rate, billableMs: bigint): Split {
  const charge = chargeMicros(rate, billableMs);
  const fee = feeMicros(charge, rate.feeBps);
  return { charge, fee, provider: charge - fee };
}

/**
 * The part of a lease's cost that falls between two of its cumulative times. Because both ends are rounded from the start of
 * the lease, no way of cutting the time into windows, and no order of charging them, changes the total.
 */
export function splitBetween(rate: Rate, fromMs: bigint, toMs: bigint): Split {
  if (toMs < fromMs) throw new Error(`a window ends after it starts, not ${fromMs} to ${toMs}`);
  return minus(splitAt(rate, toMs), splitAt(rate, fromMs));
}

/**
 * What a lease that has cost `before` can still cost when its hold has only `remaining` left. A quote covers every lease of
 * its job, so this is the last line of defence and not a way of charging. The fee follows
 * from the lease's total, as ever, so it does not matter in how many steps the hold ran out.
 */
export function capSplit(before: Split, owed: Split, remaining: bigint, feeBps: bigint): Split {
  if (owed.charge <= remaining) return owed;
  const fee = feeMicros(before.charge + remaining, feeBps) - before.fee;
  return { charge: remaining, fee, provider: remaining - fee };
}

const minus = (left: Split, right: Split): Split => ({
  charge: left.charge - right.charge,
  fee: left.fee - right.fee,
  provider: left.provider - right.provider,
});
