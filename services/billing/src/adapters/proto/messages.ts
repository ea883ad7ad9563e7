import { toTimestamp } from '@daya/proto';
import {
  HoldState as ProtoHoldState,
  NoteKind as ProtoNoteKind,
  TransferKind as ProtoTransferKind,
  type AccountBalance as ProtoAccountBalance,
  type Hold as ProtoHold,
  type Invoice as ProtoInvoice,
  type JobStatement as ProtoJobStatement,
  type Note as ProtoNote,
  type PricedQuote as ProtoPricedQuote,
  type RunCharge as ProtoRunCharge,
  type Transfer as ProtoTransfer,
} from '@daya/proto/billing';
import type { AccountBalance, JobStatement, PostedTransfer } from '../../application/ports';
import type { Hold, HoldState } from '../../domain/hold';
import type { NoteKind } from '../../domain/note';
import type { PricedQuote } from '../../domain/quote';
import { netOf, sumOfNotes, totalOf, type Invoice, type IssuedNote, type RunCharge } from '../../domain/statement';
import type { TransferKind } from '../../domain/transfer';
import { holdIdOf } from '../derive-id';

const HOLD_STATES: Readonly<Record<HoldState, ProtoHoldState>> = {
  open: ProtoHoldState.OPEN,
  released: ProtoHoldState.RELEASED,
  expired: ProtoHoldState.EXPIRED,
};

const TRANSFER_KINDS: Readonly<Record<TransferKind, ProtoTransferKind>> = {
  single: ProtoTransferKind.SINGLE,
  hold: ProtoTransferKind.HOLD,
  post: ProtoTransferKind.POST,
  release: ProtoTransferKind.RELEASE,
  expire: ProtoTransferKind.EXPIRE,
  reversal: ProtoTransferKind.REVERSAL,
  credit_note: ProtoTransferKind.CREDIT_NOTE,
  debit_note: ProtoTransferKind.DEBIT_NOTE,
};

const NOTE_KINDS: Readonly<Record<NoteKind, ProtoNoteKind>> = {
  credit: ProtoNoteKind.CREDIT,
  debit: ProtoNoteKind.DEBIT,
};

export function toProtoHold(hold: Hold): ProtoHold {
  return {
    holdId: holdIdOf(hold.jobId),
    jobId: hold.jobId,
    organisationId: hold.payerId,
    amount: { asset: hold.asset, amount: hold.amount },
    remaining: { asset: hold.asset, amount: hold.remaining },
    state: HOLD_STATES[hold.state],
  };
}

export function toProtoTransfer(transfer: PostedTransfer): ProtoTransfer {
  return {
    transferId: transfer.transferId,
    debitAccount: transfer.debitCode,
    creditAccount: transfer.creditCode,
    amount: { asset: transfer.asset, amount: transfer.amount },
    kind: TRANSFER_KINDS[transfer.kind],
    pendingId: transfer.pendingId,
    cause: transfer.cause,
    createTime: toTimestamp(transfer.createTime),
  };
}

export function toProtoBalance({ code, asset, posted, held }: AccountBalance): ProtoAccountBalance {
  return { account: code, posted: { asset, amount: posted }, held: { asset, amount: held } };
}

export function toProtoStatement({
  jobId,
  payerId,
  heldMicros,
  releasedMicros,
  runs,
  notes,
  settled,
}: JobStatement): ProtoJobStatement {
  const total = totalOf(runs);
  const { credited, debited } = sumOfNotes(notes);
  return {
    jobId,
    organisationId: payerId,
    heldMicros,
    chargedMicros: total.charge,
    feeMicros: total.fee,
    providerMicros: total.provider,
    releasedMicros,
    runs: runs.map(toProtoRun),
    settled,
    notes: notes.map(toProtoNote),
    creditedMicros: credited,
    debitedMicros: debited,
  };
}

function toProtoRun({ charge, fee, provider, ...run }: RunCharge): ProtoRunCharge {
  return { ...run, chargeMicros: charge, feeMicros: fee, providerMicros: provider };
}

export function toProtoInvoice(invoice: Invoice): ProtoInvoice {
  const { payerId, lines, issueTime, notes, ...rest } = invoice;
  return {
    ...rest,
    organisationId: payerId,
    lines: [...lines],
    issueTime: toTimestamp(issueTime),
    notes: notes.map(toProtoNote),
    netMicros: netOf(invoice),
  };
}

export function toProtoNote({ kind, issueTime, ...note }: IssuedNote): ProtoNote {
  return { ...note, kind: NOTE_KINDS[kind], issueTime: toTimestamp(issueTime) };
}

export function toProtoQuote(quote: PricedQuote, signature: Uint8Array): ProtoPricedQuote {
  const { quoteId, totalMicros, feeBps, feePolicyVersion } = quote;
  return { quoteId, totalMicros, feeBps, feePolicyVersion, lines: [...quote.lines], signature: Buffer.from(signature) };
}
