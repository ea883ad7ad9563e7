import { refuseInvalid, type FoundViolation } from '@daya/kernel';
import {
  BPS,
  INSURANCE_ACCOUNT,
  type CellRow,
  type ClassRow,
  type DeviceRow,
  type JobRow,
  type LicenceRow,
  type Snapshot,
} from './snapshot';
import { StrictObject, noteDuplicates } from './strict-object';

const COMMISSION_BPS_MAX = 3_000n;
const LAMBDA_BPS_MAX = 30_000n;

const SCALARS = [
  'epoch',
  'reserve_at_month_start',
  'active_mscu',
  'baseline_mscu',
  'utilisation_bps',
  'price_hi_micros',
  'stake_per_mscu',
  'floor_licences',
];
const LISTS = ['classes', 'devices', 'jobs', 'cells', 'licences'];
const CLASS_FIELDS = ['gpu_class', 'subsidy_micros_per_scu_hour', 'paid_median_micros_per_scu_hour'];
const DEVICE_FIELDS = [
  'device',
  'account',
  'gpu_class',
  'cell',
  'mscu',
  'quality_bps',
  'checks',
  'checks_ok',
  'ramp_bps',
  'hired_bps',
  'stake',
  'eligible',
];
const JOB_FIELDS = ['job', 'account', 'fee_micros', 'quality_bps', 'lambda_bps'];
const LICENCE_FIELDS = ['licence', 'owner', 'operator', 'commission_bps', 'points'];

/** Reads a parsed snapshot file. Refuses with `invalid` INVALID_FIELDS that names every violated row and field. */
export function parseSnapshot(json: unknown): Snapshot {
  const problems: FoundViolation[] = [];
  const top = new StrictObject(json, '', ['version', ...SCALARS, ...LISTS], problems);
  const version = top.text('version');
  if (version !== '1' && version !== '') top.problem('version', 'NOT_SUPPORTED', 'must be "1"');
  const snapshot: Snapshot = {
    epoch: top.decimal('epoch'),
    reserveAtMonthStart: top.decimal('reserve_at_month_start'),
    activeMscu: top.decimal('active_mscu'),
    baselineMscu: top.decimal('baseline_mscu'),
    utilisationBps: top.decimal('utilisation_bps', BPS),
    priceHiMicros: top.decimal('price_hi_micros'),
    stakePerMscu: top.decimal('stake_per_mscu'),
    floorLicences: top.decimal('floor_licences'),
    classes: top.rows('classes', CLASS_FIELDS, readClass),
    devices: top.rows('devices', DEVICE_FIELDS, readDevice),
    jobs: top.rows('jobs', JOB_FIELDS, readJob),
    cells: top.rows('cells', ['cell', 'deficit_mscu'], readCell),
    licences: top.rows('licences', LICENCE_FIELDS, readLicence),
  };
  noteCrossFieldProblems(snapshot, problems);
  refuseInvalid(onePerField(problems));
  return snapshot;
}

const readClass = (row: StrictObject): ClassRow => ({
  gpuClass: row.text('gpu_class'),
  subsidyMicrosPerScuHour: row.decimal('subsidy_micros_per_scu_hour'),
  paidMedianMicrosPerScuHour: row.decimal('paid_median_micros_per_scu_hour'),
});

function readDevice(row: StrictObject): DeviceRow {
  const device: DeviceRow = {
    device: row.text('device'),
    account: readAccount(row, 'account'),
    gpuClass: row.text('gpu_class'),
    cell: row.text('cell', { mayBeEmpty: true }),
    mscu: row.decimal('mscu'),
    qualityBps: row.decimal('quality_bps'),
    checks: row.decimal('checks'),
    checksOk: row.decimal('checks_ok'),
    rampBps: row.decimal('ramp_bps', BPS),
    hiredBps: row.decimal('hired_bps', BPS),
    stake: row.decimal('stake'),
    eligible: row.flag('eligible'),
  };
  if (device.checksOk > device.checks) row.problem('checks_ok', 'OUT_OF_RANGE', 'must be at most checks');
  return device;
}

const readJob = (row: StrictObject): JobRow => ({
  job: row.text('job'),
  account: readAccount(row, 'account'),
  feeMicros: row.decimal('fee_micros'),
  qualityBps: row.decimal('quality_bps', BPS),
  lambdaBps: row.decimal('lambda_bps', LAMBDA_BPS_MAX),
});

const readCell = (row: StrictObject): CellRow => ({ cell: row.text('cell'), deficitMscu: row.decimal('deficit_mscu') });

const readLicence = (row: StrictObject): LicenceRow => ({
  licence: row.text('licence'),
  owner: readAccount(row, 'owner'),
  operator: readAccount(row, 'operator'),
  commissionBps: row.decimal('commission_bps', COMMISSION_BPS_MAX),
  points: row.decimal('points'),
});

function readAccount(row: StrictObject, name: string): string {
  const account = row.text(name);
  if (account === INSURANCE_ACCOUNT) row.problem(name, 'RESERVED', `must not be "${INSURANCE_ACCOUNT}"`);
  return account;
}

function noteCrossFieldProblems(snapshot: Snapshot, problems: FoundViolation[]): void {
  if (snapshot.priceHiMicros === 0n) {
    problems.push({ field: 'price_hi_micros', reason: 'OUT_OF_RANGE', description: 'must be above 0' });
  }
  const known = new Set(snapshot.classes.map((row) => row.gpuClass));
  snapshot.devices.forEach((row, index) => {
    if (known.has(row.gpuClass)) return;
    problems.push({
      field: `devices[${index}].gpu_class`,
      reason: 'UNKNOWN_VALUE',
      description: 'is in no row of classes',
    });
  });
  noteDuplicates(
    snapshot.classes.map((row) => row.gpuClass),
    'classes',
    'gpu_class',
    problems,
  );
  noteDuplicates(
    snapshot.devices.map((row) => row.device),
    'devices',
    'device',
    problems,
  );
  noteDuplicates(
    snapshot.jobs.map((row) => row.job),
    'jobs',
    'job',
    problems,
  );
  noteDuplicates(
    snapshot.cells.map((row) => row.cell),
    'cells',
    'cell',
    problems,
  );
  noteDuplicates(
    snapshot.licences.map((row) => row.licence),
    'licences',
    'licence',
    problems,
  );
}

// A field that could not be read answered a harmless value, which may break a second rule; only the first report is true.
function onePerField(problems: readonly FoundViolation[]): readonly FoundViolation[] {
  const seen = new Set<string>();
  return problems.filter(({ field }) => !seen.has(field) && seen.add(field));
}
