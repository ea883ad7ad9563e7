import type { AccountBalance, PostedTransfer } from '../../application/ports';
import type { BilledLease, Charge, ChargeOutcome } from '../../domain/charge';
import type { Hold, HoldState } from '../../domain/hold';
import type { NoteKind } from '../../domain/note';
import type { Invoice, InvoiceLine, IssuedNote, RunCharge } from '../../domain/statement';
import type { TransferKind } from '../../domain/transfer';

/** The only place where rows become domain values: int8 and numeric columns arrive as strings. */

export interface JobRow {
  readonly job_id: string;
  readonly payer_id: string | null;
  readonly asset: string;
  readonly hold_amount: string | null;
  readonly hold_remaining: string | null;
  readonly hold_state: HoldState | null;
  readonly fee_bps: number | null;
  readonly hold_create_time: Date | null;
  readonly hold_close_time: Date | null;
  readonly finish_time: Date | null;
  readonly started_lease_ids: string[];
  readonly settle_time: Date | null;
}

export function toHold(row: JobRow): Hold | undefined {
  const { hold_state: state, hold_amount: amount, hold_remaining: remaining, hold_create_time: createTime } = row;
  if (state === null || amount === null || remaining === null || createTime === null) return undefined;
  return {
    jobId: row.job_id,
    payerId: row.payer_id ?? '',
    asset: row.asset,
    amount: BigInt(amount),
    remaining: BigInt(remaining),
    feeBps: BigInt(row.fee_bps ?? 0),
    state,
    createTime,
    ...(row.hold_close_time === null ? {} : { closeTime: row.hold_close_time }),
  };
}

/** A lease whose terms are known. */
export interface LeaseRow {
  readonly lease_id: string;
  readonly job_id: string;
  readonly payer_id: string;
  readonly payee_id: string;
  readonly asset: string;
  readonly provider_id: string;
  readonly node_id: string;
  readonly task_index: number;
  readonly run_number: number;
  readonly gpu_model_id: string;
  readonly gpu_milli: number;
  readonly price_micros_per_gpu_hour: string;
  readonly emulated: boolean;
  readonly start_time: Date | null;
  readonly end_time: Date | null;
  readonly waived_reason: string;
  readonly billable_ms: string;
  readonly final_usage_in: boolean;
  readonly charged_ms: string;
  readonly charge_micros: string;
  readonly fee_micros: string;
  readonly provider_micros: string;
  readonly written_off_micros: string;
}

export function toLease(row: LeaseRow): BilledLease {
  return {
    leaseId: row.lease_id,
    jobId: row.job_id,
    payerId: row.payer_id,
    payeeId: row.payee_id,
    asset: row.asset,
    providerId: row.provider_id,
    nodeId: row.node_id,
    taskIndex: row.task_index,
    runNumber: row.run_number,
    gpuModelId: row.gpu_model_id,
    gpuMilli: row.gpu_milli,
    priceMicrosPerGpuHour: BigInt(row.price_micros_per_gpu_hour),
    emulated: row.emulated,
    started: row.start_time !== null,
    ended: row.end_time !== null,
    waivedReason: row.waived_reason,
    billableMs: BigInt(row.billable_ms),
    chargedMs: BigInt(row.charged_ms),
    charged: { charge: BigInt(row.charge_micros), fee: BigInt(row.fee_micros), provider: BigInt(row.provider_micros) },
    writtenOff: BigInt(row.written_off_micros),
    finalUsageIn: row.final_usage_in,
  };
}

export function toRun(row: LeaseRow): RunCharge {
  return {
    leaseId: row.lease_id,
    taskIndex: row.task_index,
    runNumber: row.run_number,
    nodeId: row.node_id,
    gpuModelId: row.gpu_model_id,
    gpuMilli: row.gpu_milli,
    priceMicrosPerGpuHour: BigInt(row.price_micros_per_gpu_hour),
    billableMs: BigInt(row.billable_ms),
    charge: BigInt(row.charge_micros),
    fee: BigInt(row.fee_micros),
    provider: BigInt(row.provider_micros),
    waivedReason: row.waived_reason,
  };
}

export interface ChargeRow {
  readonly usage_id: string;
  readonly lease_id: string;
  readonly billable_ms: string;
  readonly up_to_ms: string;
  readonly charge_micros: string;
  readonly fee_micros: string;
  readonly provider_micros: string;
  readonly outcome: ChargeOutcome;
}

export function toCharge(row: ChargeRow): Charge {
  return {
    usageId: row.usage_id,
    leaseId: row.lease_id,
    billableMs: BigInt(row.billable_ms),
    upToMs: BigInt(row.up_to_ms),
    charge: BigInt(row.charge_micros),
    fee: BigInt(row.fee_micros),
    provider: BigInt(row.provider_micros),
    outcome: row.outcome,
  };
}

export interface InvoiceRow {
  readonly invoice_id: string;
  readonly job_id: string;
  readonly payer_id: string;
  readonly total_micros: string;
  readonly issue_time: Date;
}

export interface InvoiceLineRow {
  readonly invoice_id: string;
  readonly what: string;
  readonly lease_id: string;
  readonly task_index: number;
  readonly run_number: number;
  readonly billable_ms: string;
  readonly price_micros_per_gpu_hour: string;
  readonly gpu_milli: number;
  readonly amount_micros: string;
}

export interface NoteRow {
  readonly note_id: string;
  readonly usage_id: string;
  readonly lease_id: string;
  readonly job_id: string;
  readonly invoice_id: string;
  readonly kind: NoteKind;
  readonly billable_ms: string;
  readonly charge_micros: string;
  readonly written_off_micros: string;
  readonly issue_time: Date;
}

export const toNote = (row: NoteRow): IssuedNote => ({
  noteId: row.note_id,
  invoiceId: row.invoice_id,
  jobId: row.job_id,
  leaseId: row.lease_id,
  usageId: row.usage_id,
  kind: row.kind,
  amountMicros: BigInt(row.charge_micros),
  writtenOffMicros: BigInt(row.written_off_micros),
  billableMs: BigInt(row.billable_ms),
  issueTime: row.issue_time,
});

export function toInvoice(row: InvoiceRow, lines: readonly InvoiceLineRow[], notes: readonly IssuedNote[]): Invoice {
  return {
    invoiceId: row.invoice_id,
    jobId: row.job_id,
    payerId: row.payer_id,
    totalMicros: BigInt(row.total_micros),
    lines: lines.filter((line) => line.invoice_id === row.invoice_id).map(toLine),
    issueTime: row.issue_time,
    notes: notes.filter((note) => note.invoiceId === row.invoice_id),
  };
}

function toLine(row: InvoiceLineRow): InvoiceLine {
  return {
    what: row.what,
    leaseId: row.lease_id,
    taskIndex: row.task_index,
    runNumber: row.run_number,
    billableMs: BigInt(row.billable_ms),
    priceMicrosPerGpuHour: BigInt(row.price_micros_per_gpu_hour),
    gpuMilli: row.gpu_milli,
    amountMicros: BigInt(row.amount_micros),
  };
}

export interface TransferRow {
  readonly id: string;
  readonly position: string;
  readonly debit_code: string;
  readonly credit_code: string;
  readonly asset: string;
  readonly amount: string;
  readonly kind: TransferKind;
  readonly pending_id: string | null;
  readonly cause: string;
  readonly create_time: Date;
}

export function toPostedTransfer(row: TransferRow): PostedTransfer {
  return {
    transferId: row.id,
    debitCode: row.debit_code,
    creditCode: row.credit_code,
    asset: row.asset,
    amount: BigInt(row.amount),
    kind: row.kind,
    pendingId: row.pending_id ?? '',
    cause: row.cause,
    createTime: row.create_time,
  };
}

export interface BalanceRow {
  readonly id: string;
  readonly code: string;
  readonly asset: string;
  readonly posted: string;
  readonly held: string;
}

export const toBalance = (row: BalanceRow): AccountBalance => ({
  code: row.code,
  asset: row.asset,
  posted: BigInt(row.posted),
  held: BigInt(row.held),
});
