import { AMOUNT_MAX } from '@daya/kernel';
import type { Account } from './account';

export const TRANSFER_KINDS = [
  'single',
  'hold',
  'post',
  'release',
  'expire',
  'reversal',
  'credit_note',
  'debit_note',
] as const;
export type TransferKind = (typeof TRANSFER_KINDS)[number];

/** One event can move money in two legs (the provider's share and the fee); `whole` is the only leg of all others. */
export type Leg = 'whole' | 'provider' | 'fee';

/** What makes a transfer the same transfer: written twice, it counts once. */
export interface TransferKey {
  readonly kind: TransferKind;
  /** The business fact behind it: `deposit:<reference>`, `job:<uuid>`, `usage:<id>`, `note:<usage id>/<lease id>`. */
  readonly cause: string;
  readonly leg: Leg;
}

/** One balanced entry: the amount leaves `debit` and reaches `credit`, so an unbalanced entry cannot be written. */
export interface Transfer extends TransferKey {
  readonly debit: Account;
  readonly credit: Account;
  /** > 0, smallest unit of the accounts' asset. */
  readonly amount: bigint;
  /** The job it belongs to, if any. */
  readonly jobId?: string;
  /** The job whose hold this row opens, draws on, or gives back to. */
  readonly holdJobId?: string;
  /** Of a reversal: the row that it undoes. */
  readonly original?: TransferKey;
  readonly payerId?: string;
  readonly payeeId?: string;
}

/** How one transfer moves one account. `held` is the part of `posted` that is set aside. */
export interface Effect {
  readonly account: Account;
  readonly posted: bigint;
  readonly held: bigint;
}

/**
 * The whole arithmetic of the ledger. A hold sets the debit side aside; a post pays out of what was set aside; a release or
 * expiry frees it; a reversal that names a hold puts the money back into it.
 */
export function effectsOf(transfer: Transfer): Effect[] {
  assertTransfer(transfer);
  const { kind, debit, credit, amount, holdJobId } = transfer;
  switch (kind) {
    case 'hold':
      return [{ account: debit, posted: 0n, held: amount }];
    case 'release':
    case 'expire':
      return [{ account: debit, posted: 0n, held: -amount }];
    case 'post':
      return [
        { account: debit, posted: -amount, held: -amount },
        { account: credit, posted: amount, held: 0n },
      ];
    case 'single':
    case 'credit_note':
    case 'debit_note':
    case 'reversal':
      return [
        { account: debit, posted: -amount, held: 0n },
        { account: credit, posted: amount, held: kind === 'reversal' && holdJobId !== undefined ? amount : 0n },
      ];
  }
}

/** By how much a transfer changes what is left of its hold. */
export function holdEffectOf({ kind, amount, holdJobId }: Transfer): bigint {
  if (holdJobId === undefined) return 0n;
  return kind === 'hold' || kind === 'reversal' ? amount : -amount;
}

/** The row that undoes `original`. While its hold is open the money goes back into the hold, else to the payer's wallet. */
export function reversalOf(original: Transfer, holdIsOpen: boolean): Transfer {
  if (original.kind !== 'post') throw new Error(`only a post is reversed, not ${original.kind}`);
  const { holdJobId, ...rest } = original;
  return {
    ...rest,
    kind: 'reversal',
    debit: original.credit,
    credit: original.debit,
    original: { kind: original.kind, cause: original.cause, leg: original.leg },
    ...(holdIsOpen && holdJobId !== undefined ? { holdJobId } : {}),
  };
}

// A transfer is built by our own rules, so a bad one is a bug and not a refusal.
function assertTransfer({ kind, debit, credit, amount, holdJobId, original }: Transfer): void {
  if (amount <= 0n || amount > AMOUNT_MAX) throw new Error(`a transfer moves 1 to ${AMOUNT_MAX}, not ${amount}`);
  if (debit.asset !== credit.asset)
    throw new Error(`one transfer has one asset, not ${debit.asset} and ${credit.asset}`);
  if (debit.code === credit.code) throw new Error(`a transfer has two accounts, not ${debit.code} twice`);
  const needsHold = kind === 'hold' || kind === 'post' || kind === 'release' || kind === 'expire';
  if (needsHold && holdJobId === undefined) throw new Error(`a ${kind} names its hold`);
  const hasNone = kind === 'single' || kind === 'credit_note' || kind === 'debit_note';
  if (hasNone && holdJobId !== undefined) throw new Error(`a ${kind} has no hold`);
  if ((kind === 'reversal') !== (original !== undefined)) throw new Error('exactly a reversal names its original');
}
