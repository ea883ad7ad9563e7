import type { CellRow, DeviceRow, JobRow, LicenceRow, Snapshot } from '../src/domain/snapshot';

/** A parsed snapshot file that a test may break at will: the value of a published file is JSON, so its rows are open. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests mutate JSON into every wrong shape
export type LooseJson = Record<string, any>;

export const aDevice = (over: Partial<DeviceRow> = {}): DeviceRow => ({
  device: 'd1',
  account: 'lab',
  gpuClass: 'h100',
  cell: 'eu/h100',
  mscu: 32_000n,
  qualityBps: 10_000n,
  checks: 12n,
  checksOk: 12n,
  rampBps: 10_000n,
  hiredBps: 0n,
  stake: 0n,
  eligible: true,
  ...over,
});

export const aJob = (over: Partial<JobRow> = {}): JobRow => ({
  job: 'j1',
  account: 'lab',
  feeMicros: 5_000_000n,
  qualityBps: 10_000n,
  lambdaBps: 9_000n,
  ...over,
});
export const aCell = (over: Partial<CellRow> = {}): CellRow => ({ cell: 'eu/h100', deficitMscu: 1_000n, ...over });
export const aLicence = (over: Partial<LicenceRow> = {}): LicenceRow => ({
  licence: 'l1',
  owner: 'ada',
  operator: 'ops',
  commissionBps: 1_000n,
  points: 4n,
  ...over,
});

export const aSnapshot = (over: Partial<Snapshot> = {}): Snapshot => ({
  epoch: 0n,
  reserveAtMonthStart: 450_000_000_000_000_000n,
  activeMscu: 1_200_000n,
  baselineMscu: 5_000_000n,
  utilisationBps: 2_500n,
  priceHiMicros: 250_000n,
  stakePerMscu: 0n,
  floorLicences: 0n,
  classes: [
    { gpuClass: 'h100', subsidyMicrosPerScuHour: 150_000n, paidMedianMicrosPerScuHour: 500_000n },
    { gpuClass: 'rtx4090', subsidyMicrosPerScuHour: 60_000n, paidMedianMicrosPerScuHour: 200_000n },
  ],
  devices: [
    aDevice(),
    aDevice({ device: 'd2', account: 'north', gpuClass: 'rtx4090', cell: 'eu/rtx4090', mscu: 1_000n }),
  ],
  jobs: [aJob()],
  cells: [aCell()],
  licences: [aLicence()],
  ...over,
});

/** The same as `aSnapshot`, as a file holds it. */
export const aSnapshotJson = (): LooseJson => ({
  version: '1',
  epoch: '0',
  reserve_at_month_start: '450000000000000000',
  active_mscu: '1200000',
  baseline_mscu: '5000000',
  utilisation_bps: '2500',
  price_hi_micros: '250000',
  stake_per_mscu: '0',
  floor_licences: '0',
  classes: [
    { gpu_class: 'h100', subsidy_micros_per_scu_hour: '150000', paid_median_micros_per_scu_hour: '500000' },
    { gpu_class: 'rtx4090', subsidy_micros_per_scu_hour: '60000', paid_median_micros_per_scu_hour: '200000' },
  ],
  devices: [deviceJson('d1', 'lab', 'h100', '32000'), deviceJson('d2', 'north', 'rtx4090', '1000')],
  jobs: [{ job: 'j1', account: 'lab', fee_micros: '5000000', quality_bps: '10000', lambda_bps: '9000' }],
  cells: [{ cell: 'eu/h100', deficit_mscu: '1000' }],
  licences: [{ licence: 'l1', owner: 'ada', operator: 'ops', commission_bps: '1000', points: '4' }],
});

const deviceJson = (device: string, account: string, gpuClass: string, mscu: string): LooseJson => ({
  device,
  account,
  gpu_class: gpuClass,
  cell: `eu/${gpuClass}`,
  mscu,
  quality_bps: '10000',
  checks: '12',
  checks_ok: '12',
  ramp_bps: '10000',
  hired_bps: '0',
  stake: '0',
  eligible: true,
});
