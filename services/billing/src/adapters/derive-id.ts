import { createHash } from 'node:crypto';
import { usageCause } from '../domain/charge';
import { holdCause } from '../domain/hold';
import { noteCause, noteTransferKind, type Note } from '../domain/note';
import type { TransferKey } from '../domain/transfer';

/**
 * A UUID (version 8) that follows from what it names, so a repetition of the same fact meets its own row. Bits that are not
 * version and variant come from SHA-256 over the JSON of the parts.
 */
export function deriveId(...parts: readonly string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export const transferIdOf = ({ kind, cause, leg }: TransferKey): string => deriveId('transfer', kind, cause, leg);

/** All legs of one cause are one transaction. */
export const txIdOf = ({ kind, cause }: Pick<TransferKey, 'kind' | 'cause'>): string => deriveId('tx', kind, cause);

/** A hold is known by the transfer that opened it. */
export const holdIdOf = (jobId: string): string =>
  transferIdOf({ kind: 'hold', cause: holdCause(jobId), leg: 'whole' });

export const chargeIdOf = (usageId: string): string => txIdOf({ kind: 'post', cause: usageCause(usageId) });
export const reversalIdOf = (usageId: string): string => txIdOf({ kind: 'reversal', cause: usageCause(usageId) });
/** A note is known by its transaction, also one that moved nothing. */
export const noteIdOf = (note: Pick<Note, 'kind' | 'usageId' | 'leaseId'>): string =>
  txIdOf({ kind: noteTransferKind(note.kind), cause: noteCause(note) });
export const invoiceIdOf = (jobId: string): string => deriveId('invoice', jobId);

/** A number that spreads jobs (or causes without a job) evenly over lanes. */
export const spreadOf = (id: string): number => Number.parseInt(deriveId('lane', id).slice(0, 8), 16);
