import { refuseInvalid, type FoundViolation } from '@daya/kernel';
import { isAddress } from './address';
import { byUtf8, type JsonValue } from './canonical-json';
import { INSURANCE_ACCOUNT } from './snapshot';
import { StrictObject, noteDuplicates } from './strict-object';

/** The twelve parts of an epoch in each of which a node either was ONLINE throughout or was not. */
export const CHECK_SLOTS = 12;
const CHECKS = /^[01]{12}$/;

/** The facts of one epoch and asset, frozen when it closes; everything else follows from them and the epoch before. */
export interface EpochInputs {
  readonly epoch: bigint;
  readonly asset: RewardAsset;
  readonly devices: readonly DeviceFact[];
  readonly charges: readonly ChargeFact[];
}

/** What real nodes earn, and what emulated ones do. */
export const REWARD_ASSETS = ['DAYA', 'DAYA_TEST'] as const;
export type RewardAsset = (typeof REWARD_ASSETS)[number];

export interface DeviceFact {
  /** `<node id>/<GPU class>`. */
  readonly device: string;
  readonly account: string;
  /** Empty: the account declared none. */
  readonly declaredAddress: string;
  readonly gpuClass: string;
  readonly region: string;
  readonly gpuCount: bigint;
  readonly mscuPerGpu: bigint;
  /** One digit per slot, 1 = ONLINE throughout. */
  readonly checks: string;
  /** Why the device may not earn capacity pay; empty when it may. */
  readonly ineligibleReason: string;
}

export interface ChargeFact {
  readonly charge: string;
  readonly job: string;
  readonly account: string;
  readonly declaredAddress: string;
  readonly device: string;
  /** The money that paid. Promotional credit earns nothing. */
  readonly moneyAsset: string;
  /** Negative when a charge was taken back. */
  readonly feeMicros: bigint;
  readonly billableMs: bigint;
  readonly gpuMilli: bigint;
  /** Billing posted it in an earlier epoch, which had closed before it arrived. */
  readonly late: boolean;
}

const DEVICE_FIELDS = [
  'device',
  'account',
  'declared_address',
  'gpu_class',
  'region',
  'gpu_count',
  'mscu_per_gpu',
  'checks',
  'ineligible_reason',
];
const CHARGE_FIELDS = [
  'charge',
  'job',
  'account',
  'declared_address',
  'device',
  'money_asset',
  'fee_micros',
  'billable_ms',
  'gpu_milli',
  'late',
];

/** Reads a published inputs file. Refuses with `invalid` INVALID_FIELDS that names every violated row and field. */
export function parseEpochInputs(json: unknown): EpochInputs {
  const problems: FoundViolation[] = [];
  const top = new StrictObject(json, '', ['version', 'epoch', 'asset', 'devices', 'charges'], problems);
  if (top.text('version') !== '1') top.problem('version', 'NOT_SUPPORTED', 'must be "1"');
  const asset = REWARD_ASSETS.find((known) => known === top.text('asset'));
  if (asset === undefined) top.problem('asset', 'UNKNOWN_VALUE', 'must be DAYA or DAYA_TEST');
  const inputs: EpochInputs = {
    epoch: top.decimal('epoch'),
    asset: asset ?? 'DAYA_TEST',
    devices: top.rows('devices', DEVICE_FIELDS, readDevice),
    charges: top.rows('charges', CHARGE_FIELDS, readCharge),
  };
  noteDuplicates(
    inputs.devices.map((row) => row.device),
    'devices',
    'device',
    problems,
  );
  noteDuplicates(
    inputs.charges.map((row) => row.charge),
    'charges',
    'charge',
    problems,
  );
  refuseInvalid(problems);
  return inputs;
}

function readDevice(row: StrictObject): DeviceFact {
  const checks = row.text('checks');
  if (!CHECKS.test(checks)) row.problem('checks', 'MALFORMED', 'must be twelve digits 0 or 1');
  return {
    device: row.text('device'),
    account: readAccount(row),
    declaredAddress: readDeclaredAddress(row),
    gpuClass: row.text('gpu_class'),
    region: row.text('region', { mayBeEmpty: true }),
    gpuCount: row.decimal('gpu_count'),
    mscuPerGpu: row.decimal('mscu_per_gpu'),
    checks,
    ineligibleReason: row.text('ineligible_reason', { mayBeEmpty: true }),
  };
}

const readCharge = (row: StrictObject): ChargeFact => ({
  charge: row.text('charge'),
  job: row.text('job'),
  account: readAccount(row),
  declaredAddress: readDeclaredAddress(row),
  device: row.text('device'),
  moneyAsset: row.text('money_asset'),
  feeMicros: row.integer('fee_micros'),
  billableMs: row.integer('billable_ms'),
  gpuMilli: row.decimal('gpu_milli'),
  late: row.flag('late'),
});

function readAccount(row: StrictObject): string {
  const account = row.text('account');
  if (account === INSURANCE_ACCOUNT) row.problem('account', 'RESERVED', `must not be "${INSURANCE_ACCOUNT}"`);
  return account;
}

function readDeclaredAddress(row: StrictObject): string {
  const address = row.text('declared_address', { mayBeEmpty: true });
  if (address !== '' && !isAddress(address))
    row.problem('declared_address', 'MALFORMED', 'must be empty, or 0x and 40 hexadecimal digits');
  return address.toLowerCase();
}

export const epochInputsJson = ({ epoch, asset, devices, charges }: EpochInputs): JsonValue => ({
  version: '1',
  epoch,
  asset,
  devices: [...devices]
    .sort((a, b) => byUtf8(a.device, b.device))
    .map((row) => ({
      device: row.device,
      account: row.account,
      declared_address: row.declaredAddress,
      gpu_class: row.gpuClass,
      region: row.region,
      gpu_count: row.gpuCount,
      mscu_per_gpu: row.mscuPerGpu,
      checks: row.checks,
      ineligible_reason: row.ineligibleReason,
    })),
  charges: [...charges]
    .sort((a, b) => byUtf8(a.charge, b.charge))
    .map((row) => ({
      charge: row.charge,
      job: row.job,
      account: row.account,
      declared_address: row.declaredAddress,
      device: row.device,
      money_asset: row.moneyAsset,
      fee_micros: row.feeMicros,
      billable_ms: row.billableMs,
      gpu_milli: row.gpuMilli,
      late: row.late,
    })),
});
