import { feeAccount, payableOf, walletOf } from './account';
import { isWaived, type BilledLease, type UsageWindow } from './charge';
import type { Hold } from './hold';
import { NOTHING, chargeMicros, feeMicros, type Split } from './rate';
import type { Leg, Transfer } from './transfer';

export const NOTE_KINDS = ['credit', 'debit'] as const;
export type NoteKind = (typeof NOTE_KINDS)[number];

/**
 * A correction of what one lease of a settled job cost, written once: a credit gives money back to the payer's wallet, a debit
 * takes it from there. The amounts are what moves, never negative; of a debit that the wallet cannot pay nothing moves.
 */
export interface Note extends Split {
  readonly kind: NoteKind;
  /** The usage record that brought it; together with the lease it makes a note the same note. */
  readonly usageId: string;
  readonly leaseId: string;
  /** By how much the lease's time changed; negative when there is less of it. */
  readonly billableMs: bigint;
  /** Of a debit: what the wallet did not have. The platform never asks for it again. */
  readonly writtenOff: bigint;
}

/**
 * The notes that bring a settled job in line with its usage, credits first: each lease costs what its billable time is worth,
 * and all of them together never more than the hold that the customer agreed to. A note needs a new record of usage
 * (`consumed`) to be named after, its own lease's newest if there is one. What was written off stays written off.
 */
export function notesFor(hold: Hold, leases: readonly BilledLease[], consumed: readonly UsageWindow[]): Note[] {
  const newest = consumed.at(-1);
  if (newest === undefined) return [];
  const causes = new Map([
    ...leases.map(({ leaseId }): [string, string] => [leaseId, newest.usageId]),
    ...consumed.map(({ leaseId, usageId }): [string, string] => [leaseId, usageId]),
  ]);
  const room = { left: hold.amount - leases.reduce((sum, { charged }) => sum + charged.charge, 0n) };
  const noteOf = (lease: BilledLease, change: bigint): Note[] => {
    if (change === 0n) return [];
    room.left -= change;
    const usageId = causes.get(lease.leaseId) ?? newest.usageId;
    return [newNote(lease, usageId, change, hold.feeBps)];
  };
  const changes = leases.filter(({ ended }) => ended).map((lease) => ({ lease, change: changeOf(lease) }));
  const credits = changes.flatMap(({ lease, change }) => noteOf(lease, least(change, 0n)));
  const debits = changes.flatMap(({ lease, change }) =>
    noteOf(lease, most(least(change - lease.writtenOff, room.left), 0n)),
  );
  return [...credits, ...debits];
}

/** Decides which debits the wallet can pay, in order: a note is paid whole or written off whole, so no balance goes below 0. */
export function coverNotes(notes: readonly Note[], availableMicros: bigint): Note[] {
  let available = availableMicros;
  return notes.map((note) => {
    if (note.kind === 'debit' && note.charge > available) return { ...note, ...NOTHING, writtenOff: note.charge };
    available += note.kind === 'credit' ? note.charge : -note.charge;
    return note;
  });
}

export const noteCause = ({ usageId, leaseId }: Pick<Note, 'usageId' | 'leaseId'>): string =>
  `note:${usageId}/${leaseId}`;

export const noteTransferKind = (kind: NoteKind): 'credit_note' | 'debit_note' => `${kind}_note`;

/** What a note adds to its lease's charge: negative of a credit. */
export function signedSplit({ kind, charge, fee, provider }: Note): Split {
  const sign = kind === 'credit' ? -1n : 1n;
  return { charge: sign * charge, fee: sign * fee, provider: sign * provider };
}

/** The rows of one note: the provider's share and the fee, from or to the payer's wallet. */
export function transfersOfNote(lease: BilledLease, note: Note): Transfer[] {
  const wallet = walletOf(lease.payerId, lease.asset);
  const legs: { leg: Leg; amount: bigint; other: Transfer['credit']; payeeId?: string }[] = [
    { leg: 'provider', amount: note.provider, other: payableOf(lease.payeeId, lease.asset), payeeId: lease.payeeId },
    { leg: 'fee', amount: note.fee, other: feeAccount(lease.asset) },
  ];
  return legs
    .filter(({ amount }) => amount > 0n)
    .map(({ other, ...leg }) => ({
      kind: noteTransferKind(note.kind),
      cause: noteCause(note),
      ...(note.kind === 'credit' ? { debit: other, credit: wallet } : { debit: wallet, credit: other }),
      jobId: lease.jobId,
      payerId: lease.payerId,
      ...leg,
    }));
}

/** What the lease's time is worth now, less what it has been charged. */
function changeOf(lease: BilledLease): bigint {
  return (isWaived(lease) ? 0n : chargeMicros(lease, lease.billableMs)) - lease.charged.charge;
}

/** Fee and provider's share follow from the lease's new total, as ever, so both give back what their part of it was. */
function newNote(lease: BilledLease, usageId: string, change: bigint, feeBps: bigint): Note {
  const fee = feeMicros(lease.charged.charge + change, feeBps) - lease.charged.fee;
  const sign = change < 0n ? -1n : 1n;
  return {
    kind: change < 0n ? 'credit' : 'debit',
    usageId,
    leaseId: lease.leaseId,
    billableMs: lease.billableMs - lease.chargedMs,
    charge: sign * change,
    fee: sign * fee,
    provider: sign * (change - fee),
    writtenOff: 0n,
  };
}

const least = (left: bigint, right: bigint): bigint => (left < right ? left : right);
const most = (left: bigint, right: bigint): bigint => (left > right ? left : right);
