import type { NoteKind } from './note';
import { NOTHING, type Split } from './rate';

/** What one run on one node cost. */
export interface RunCharge extends Split {
  readonly leaseId: string;
  readonly taskIndex: number;
  readonly runNumber: number;
  readonly nodeId: string;
  readonly gpuModelId: string;
  readonly gpuMilli: number;
  readonly priceMicrosPerGpuHour: bigint;
  readonly billableMs: bigint;
  /** Why the charge is 0 although time was used; empty when it is not waived. */
  readonly waivedReason: string;
}

export interface InvoiceLine {
  readonly what: string;
  readonly leaseId: string;
  readonly taskIndex: number;
  readonly runNumber: number;
  readonly billableMs: bigint;
  readonly priceMicrosPerGpuHour: bigint;
  readonly gpuMilli: number;
  readonly amountMicros: bigint;
}

/** A note of one invoice, as it is shown. */
export interface IssuedNote {
  readonly noteId: string;
  readonly invoiceId: string;
  readonly jobId: string;
  readonly leaseId: string;
  readonly usageId: string;
  readonly kind: NoteKind;
  /** What moved: to the payer of a credit, from the payer of a debit; 0 of a debit that was written off. */
  readonly amountMicros: bigint;
  readonly writtenOffMicros: bigint;
  readonly billableMs: bigint;
  readonly issueTime: Date;
}

export interface Invoice {
  readonly invoiceId: string;
  readonly jobId: string;
  readonly payerId: string;
  readonly totalMicros: bigint;
  readonly lines: readonly InvoiceLine[];
  readonly issueTime: Date;
  /** Corrections since, oldest first; the invoice itself never changes. */
  readonly notes: readonly IssuedNote[];
}

/** What notes gave back and took in all. */
export function sumOfNotes(notes: readonly IssuedNote[]): { credited: bigint; debited: bigint } {
  const sum = (kind: NoteKind): bigint =>
    notes.filter((note) => note.kind === kind).reduce((total, note) => total + note.amountMicros, 0n);
  return { credited: sum('credit'), debited: sum('debit') };
}

/** What an invoice comes to after its notes. */
export function netOf({ totalMicros, notes }: Invoice): bigint {
  const { credited, debited } = sumOfNotes(notes);
  return totalMicros - credited + debited;
}

/** Adds up runs, exactly. */
export function totalOf(runs: readonly Split[]): Split {
  return runs.reduce<Split>(
    (sum, run) => ({ charge: sum.charge + run.charge, fee: sum.fee + run.fee, provider: sum.provider + run.provider }),
    NOTHING,
  );
}

/**
 * The bill of a settled job: one line for each run that is not waived, in task and run order; the total is the exact sum of
 * the charges, so nothing is rounded here.
 */
export function newInvoice(
  of: Pick<Invoice, 'invoiceId' | 'jobId' | 'payerId'>,
  runs: readonly RunCharge[],
  issueTime: Date,
): Invoice {
  const lines = runs
    .filter((run) => run.waivedReason === '')
    .toSorted(byTaskAndRun)
    .map(lineOf);
  const totalMicros = lines.reduce((sum, line) => sum + line.amountMicros, 0n);
  return { ...of, totalMicros, lines, issueTime, notes: [] };
}

function lineOf(run: RunCharge): InvoiceLine {
  const { leaseId, taskIndex, runNumber, billableMs, priceMicrosPerGpuHour, gpuMilli } = run;
  return {
    what: 'compute',
    leaseId,
    taskIndex,
    runNumber,
    billableMs,
    priceMicrosPerGpuHour,
    gpuMilli,
    amountMicros: run.charge,
  };
}

function byTaskAndRun(left: RunCharge, right: RunCharge): number {
  return (
    left.taskIndex - right.taskIndex || left.runNumber - right.runNumber || (left.leaseId < right.leaseId ? -1 : 1)
  );
}
