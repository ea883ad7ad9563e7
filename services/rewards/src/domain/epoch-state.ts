import { refuseInvalid, type FoundViolation } from '@daya/kernel';
import { byUtf8, type JsonValue } from './canonical-json';
import { RESERVE_AT_GENESIS, emissionMonth } from './emission';
import { StrictObject } from './strict-object';
import type { Bucket } from './vesting';

/** What one epoch hands to the next, per asset. */
export interface EpochState {
  readonly epoch: bigint;
  readonly reserveAtMonthStart: bigint;
  readonly issuedInMonth: bigint;
  /** At most the last 24 epochs, oldest first. */
  readonly utilisation: readonly UtilisationFact[];
  readonly devices: readonly DeviceHistory[];
  /** Fees that were taken back and not yet set off against later ones. */
  readonly feeDebts: readonly { readonly account: string; readonly micros: bigint }[];
  readonly buckets: readonly Bucket[];
}

/** mSCU-milliseconds sold to customers, and offered by eligible devices. */
export interface UtilisationFact {
  readonly epoch: bigint;
  readonly sold: bigint;
  readonly offered: bigint;
}

export interface DeviceHistory {
  readonly device: string;
  /** Another mSCU than before is a hardware change: the warm-up begins again. */
  readonly mscu: bigint;
  readonly eligibleEpochs: bigint;
}

/** Sums over many GPUs and milliseconds outgrow an int64 long before they are wrong. */
const SUM_MAX = 2n ** 127n;

const FIELDS = [
  'version',
  'epoch',
  'reserve_at_month_start',
  'issued_in_month',
  'utilisation',
  'devices',
  'fee_debts',
  'buckets',
];

/** Reads a published state file. Refuses with `invalid` INVALID_FIELDS that names every violated row and field. */
export function parseEpochState(json: unknown): EpochState {
  const problems: FoundViolation[] = [];
  const top = new StrictObject(json, '', FIELDS, problems);
  if (top.text('version') !== '1') top.problem('version', 'NOT_SUPPORTED', 'must be "1"');
  const state: EpochState = {
    epoch: top.decimal('epoch'),
    reserveAtMonthStart: top.decimal('reserve_at_month_start'),
    issuedInMonth: top.decimal('issued_in_month'),
    utilisation: top.rows('utilisation', ['epoch', 'sold', 'offered'], (row) => ({
      epoch: row.decimal('epoch'),
      sold: row.decimal('sold', SUM_MAX),
      offered: row.decimal('offered', SUM_MAX),
    })),
    devices: top.rows('devices', ['device', 'mscu', 'eligible_epochs'], (row) => ({
      device: row.text('device'),
      mscu: row.decimal('mscu'),
      eligibleEpochs: row.decimal('eligible_epochs'),
    })),
    feeDebts: top.rows('fee_debts', ['account', 'micros'], (row) => ({
      account: row.text('account'),
      micros: row.decimal('micros'),
    })),
    buckets: top.rows('buckets', ['account', 'address', 'day', 'amount'], (row) => ({
      account: row.text('account'),
      address: row.text('address'),
      day: row.decimal('day'),
      amount: row.decimal('amount'),
    })),
  };
  refuseInvalid(problems);
  return state;
}

export const epochStateJson = (state: EpochState): JsonValue => ({
  version: '1',
  epoch: state.epoch,
  reserve_at_month_start: state.reserveAtMonthStart,
  issued_in_month: state.issuedInMonth,
  utilisation: state.utilisation.map((row) => ({ ...row })),
  devices: [...state.devices]
    .sort((a, b) => byUtf8(a.device, b.device))
    .map((row) => ({ device: row.device, mscu: row.mscu, eligible_epochs: row.eligibleEpochs })),
  fee_debts: [...state.feeDebts].sort((a, b) => byUtf8(a.account, b.account)).map((row) => ({ ...row })),
  buckets: [...state.buckets]
    .sort((a, b) => byUtf8(a.account, b.account) || byUtf8(a.address, b.address) || Number(a.day - b.day))
    .map((row) => ({ ...row })),
});

/** What the first epoch of a chain starts from: the whole reserve, whenever the platform began. */
export const stateBefore = (firstEpoch: bigint): EpochState => ({
  epoch: firstEpoch - 1n,
  reserveAtMonthStart: RESERVE_AT_GENESIS,
  issuedInMonth: 0n,
  utilisation: [],
  devices: [],
  feeDebts: [],
  buckets: [],
});

/** The reserve as the month of `epoch` began: what an earlier month left unissued stays in it. */
export function reserveFor(
  opening: EpochState,
  epoch: bigint,
): { readonly reserve: bigint; readonly issuedBefore: bigint } {
  const sameMonth = opening.epoch >= 0n && emissionMonth(opening.epoch) === emissionMonth(epoch);
  if (sameMonth) return { reserve: opening.reserveAtMonthStart, issuedBefore: opening.issuedInMonth };
  return { reserve: opening.reserveAtMonthStart - opening.issuedInMonth, issuedBefore: 0n };
}
