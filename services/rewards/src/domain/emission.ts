import { BPS } from './snapshot';

/** Tokens have 9 decimals on every chain. */
export const NANO = 1_000_000_000n;
/** Epochs of an emission month, whatever an epoch's length. */
export const EPOCHS_PER_MONTH = 730n;
/** 450 million tokens: all that the supply side can ever be paid. */
export const RESERVE_AT_GENESIS = 450_000_000n * NANO;

const MONTHLY_RATE_BPS = 150n;
const GATE_FLOOR_BPS = 500n;

export const emissionMonth = (epoch: bigint): bigint => epoch / EPOCHS_PER_MONTH;

/** What the month may emit at most. */
export const monthCeiling = (reserveAtMonthStart: bigint): bigint => (reserveAtMonthStart * MONTHLY_RATE_BPS) / BPS;

/** The epoch's share of its month; the 730 shares sum to the month's ceiling exactly. */
export function epochCeiling(reserveAtMonthStart: bigint, epoch: bigint): bigint {
  const month = monthCeiling(reserveAtMonthStart);
  const index = epoch % EPOCHS_PER_MONTH;
  return (month * (index + 1n)) / EPOCHS_PER_MONTH - (month * index) / EPOCHS_PER_MONTH;
}

/** How far real capacity opens the emission: 5 % to 100 %, in basis points. A baseline of 0 opens it fully. */
export function gateBps(activeMscu: bigint, baselineMscu: bigint): bigint {
  if (baselineMscu === 0n) return BPS;
  const open = (BPS * activeMscu) / baselineMscu;
  if (open < GATE_FLOOR_BPS) return GATE_FLOOR_BPS;
  return open > BPS ? BPS : open;
}

export interface Pools {
  readonly capacity: bigint;
  readonly work: bigint;
  readonly checkers: bigint;
  readonly boost: bigint;
  readonly insurance: bigint;
}

/** Shifts pay from capacity to work as utilisation rises. Work takes the rest, so the five sum to `available` exactly. */
export function poolsOf(available: bigint, utilisationBps: bigint): Pools {
  const falling = 6_000n - (4_500n * utilisationBps) / BPS;
  const capacityBps = falling < 1_500n ? 1_500n : falling;
  const capacity = (available * capacityBps) / BPS;
  const checkers = (available * 1_000n) / BPS;
  const boost = (available * 1_000n) / BPS;
  const insurance = (available * 500n) / BPS;
  return { capacity, checkers, boost, insurance, work: available - capacity - checkers - boost - insurance };
}
