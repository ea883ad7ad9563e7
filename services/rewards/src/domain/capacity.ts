import { NANO } from './emission';
import { BPS, type ClassRow, type DeviceRow, type Snapshot } from './snapshot';

const QUALITY_BPS_MAX = 11_000n;
const UPTIME_FULL_BPS = 9_800n;
const UPTIME_NONE_BPS = 8_000n;
/** Idle pay never exceeds this share of the paid median. */
const SUBSIDY_OF_MEDIAN_BPS = 3_000n;
/** One factor of 10,000 each for quality, uptime, ramp and hire. */
const WEIGHT_SCALE = BPS ** 4n;
const MSCU_PER_SCU = 1_000n;

export interface CapacityPay {
  readonly device: DeviceRow;
  /** One product without a division in between: splitting a device can then never gain. */
  readonly weight: bigint;
  /** What the subsidy would pay if the pool were large enough. */
  readonly desired: bigint;
  readonly pay: bigint;
}

/** Uptime in basis points from checks passed of checks made; no checks, no uptime. */
export function uptimeBps(checksOk: bigint, checks: bigint): bigint {
  if (checks === 0n) return 0n;
  const passed = (BPS * checksOk) / checks;
  if (passed >= UPTIME_FULL_BPS) return BPS;
  if (passed < UPTIME_NONE_BPS) return 0n;
  return ((passed - UPTIME_NONE_BPS) * BPS) / (UPTIME_FULL_BPS - UPTIME_NONE_BPS);
}

/** The part of a device's mSCU that its stake covers. A stake price of 0 covers everything. */
export function coveredMscu(device: DeviceRow, stakePerMscu: bigint): bigint {
  if (stakePerMscu === 0n) return device.mscu;
  const covered = device.stake / stakePerMscu;
  return covered < device.mscu ? covered : device.mscu;
}

/** Micro-USD per SCU-hour that idle capacity of a class earns. */
export function subsidyOf(row: ClassRow): bigint {
  const cap = (SUBSIDY_OF_MEDIAN_BPS * row.paidMedianMicrosPerScuHour) / BPS;
  return row.subsidyMicrosPerScuHour < cap ? row.subsidyMicrosPerScuHour : cap;
}

export function deviceWeight(device: DeviceRow, stakePerMscu: bigint): bigint {
  if (!device.eligible) return 0n;
  const quality = device.qualityBps > QUALITY_BPS_MAX ? QUALITY_BPS_MAX : device.qualityBps;
  const idle = BPS - (5_000n * device.hiredBps) / BPS;
  return (
    coveredMscu(device, stakePerMscu) * quality * uptimeBps(device.checksOk, device.checks) * device.rampBps * idle
  );
}

/** Pays each device what its class's subsidy asks for; all are cut in proportion when the pool is smaller. */
export function payCapacity(snapshot: Snapshot, pool: bigint): readonly CapacityPay[] {
  const subsidies = new Map(snapshot.classes.map((row) => [row.gpuClass, subsidyOf(row)]));
  const asked = snapshot.devices.map((device) => {
    const weight = deviceWeight(device, snapshot.stakePerMscu);
    const subsidy = subsidies.get(device.gpuClass) ?? 0n;
    return {
      device,
      weight,
      desired: (weight * subsidy * NANO) / (MSCU_PER_SCU * WEIGHT_SCALE * snapshot.priceHiMicros),
    };
  });
  const total = asked.reduce((sum, row) => sum + row.desired, 0n);
  return asked.map((row) => ({ ...row, pay: total <= pool ? row.desired : (pool * row.desired) / total }));
}
