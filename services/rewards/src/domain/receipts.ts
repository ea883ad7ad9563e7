import { byUtf8, type JsonValue } from './canonical-json';
import { coveredMscu, subsidyOf, uptimeBps } from './capacity';
import type { EpochResult } from './compute-epoch';
import type { EpochInputs } from './epoch-inputs';
import type { DeviceRow, Snapshot } from './snapshot';

/** Why each row was paid what it was; a zero always has a reason. */
export interface Receipts {
  readonly devices: readonly DeviceReceipt[];
  readonly jobs: readonly JobReceipt[];
}

export interface DeviceReceipt {
  readonly device: string;
  readonly account: string;
  readonly capacity: bigint;
  readonly boost: bigint;
  readonly uptimeBps: bigint;
  readonly coveredMscu: bigint;
  readonly rampBps: bigint;
  readonly hiredBps: bigint;
  readonly subsidyMicrosPerScuHour: bigint;
  /** Empty when capacity pay is above zero. */
  readonly capacityReason: string;
  readonly boostReason: string;
}

export interface JobReceipt {
  readonly job: string;
  readonly account: string;
  readonly amount: bigint;
  readonly reason: string;
}

export function receiptsOf(inputs: EpochInputs, snapshot: Snapshot, result: EpochResult): Receipts {
  const facts = new Map(inputs.devices.map((fact) => [fact.device, fact]));
  const subsidies = new Map(snapshot.classes.map((row) => [row.gpuClass, subsidyOf(row)]));
  const pay = new Map(result.devices.map((row) => [row.device, row]));
  const amounts = new Map(result.jobs.map((row) => [row.job, row.amount]));
  const devices = snapshot.devices.map((row): DeviceReceipt => {
    const { capacity = 0n, boost = 0n, desired = 0n } = pay.get(row.device) ?? {};
    const subsidy = subsidies.get(row.gpuClass) ?? 0n;
    return {
      device: row.device,
      account: row.account,
      capacity,
      boost,
      uptimeBps: uptimeBps(row.checksOk, row.checks),
      coveredMscu: coveredMscu(row, snapshot.stakePerMscu),
      rampBps: row.rampBps,
      hiredBps: row.hiredBps,
      subsidyMicrosPerScuHour: subsidy,
      capacityReason:
        capacity > 0n
          ? ''
          : capacityReason(
              row,
              facts.get(row.device)?.ineligibleReason ?? '',
              snapshot,
              subsidy,
              desired,
              result.pools.capacity,
            ),
      boostReason: boost > 0n ? '' : boostReason(row, capacity, snapshot),
    };
  });
  const jobs = snapshot.jobs.map((row): JobReceipt => {
    const amount = amounts.get(row.job) ?? 0n;
    return {
      job: row.job,
      account: row.account,
      amount,
      reason: amount > 0n ? '' : jobReason(row.feeMicros, result.pools.work),
    };
  });
  return {
    devices: devices.sort((a, b) => byUtf8(a.device, b.device)),
    jobs: jobs.sort((a, b) => byUtf8(a.job, b.job)),
  };
}

function capacityReason(
  row: DeviceRow,
  ineligible: string,
  snapshot: Snapshot,
  subsidy: bigint,
  desired: bigint,
  pool: bigint,
): string {
  if (!row.eligible) return ineligible;
  if (row.mscu === 0n) return 'CLASS_NOT_RATED';
  if (uptimeBps(row.checksOk, row.checks) === 0n) return 'UPTIME_BELOW_80_PERCENT';
  if (row.rampBps === 0n) return 'WARMING_UP';
  if (coveredMscu(row, snapshot.stakePerMscu) === 0n) return 'STAKE_MISSING';
  if (subsidy === 0n) return 'CLASS_WITHOUT_SUBSIDY';
  if (desired > 0n && pool === 0n) return 'POOL_EMPTY';
  return 'ROUNDED_TO_ZERO';
}

function boostReason(row: DeviceRow, capacity: bigint, snapshot: Snapshot): string {
  if (capacity === 0n) return 'NO_CAPACITY_PAY';
  const deficit = snapshot.cells.find((cell) => cell.cell === row.cell)?.deficitMscu ?? 0n;
  return deficit === 0n ? 'CELL_WITHOUT_DEFICIT' : 'ROUNDED_TO_ZERO';
}

function jobReason(feeMicros: bigint, pool: bigint): string {
  if (feeMicros === 0n) return 'NO_FEE_IN_REAL_MONEY';
  return pool === 0n ? 'POOL_EMPTY' : 'ROUNDED_TO_ZERO';
}

/** Why an account with devices or work got nothing: its first device's reason, else its first job's. */
export function zeroReasons({ devices, jobs }: Receipts): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  for (const { account, capacityReason: reason } of devices) if (!reasons.has(account)) reasons.set(account, reason);
  for (const { account, reason } of jobs) if (!reasons.has(account)) reasons.set(account, reason);
  return reasons;
}

export const receiptsJson = ({ devices, jobs }: Receipts): JsonValue => ({
  devices: devices.map((row) => ({
    device: row.device,
    account: row.account,
    capacity: row.capacity,
    boost: row.boost,
    uptime_bps: row.uptimeBps,
    covered_mscu: row.coveredMscu,
    ramp_bps: row.rampBps,
    hired_bps: row.hiredBps,
    subsidy_micros_per_scu_hour: row.subsidyMicrosPerScuHour,
    capacity_reason: row.capacityReason,
    boost_reason: row.boostReason,
  })),
  jobs: jobs.map((row) => ({ ...row })),
});
