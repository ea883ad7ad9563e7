import { FieldChecks, refuseInvalid } from '@daya/kernel';
import type {
  PlaceHoldRequest,
  PriceQuoteRequest,
  PricedQuote as ProtoPricedQuote,
  RecordDepositRequest,
  ReleaseHoldRequest,
  TaskPrice,
} from '@daya/proto/billing';
import type { PlaceHoldCommand } from '../../application/place-hold';
import type { PriceQuoteCommand } from '../../application/price-quote';
import type { SignedQuote } from '../../application/ports';
import { amountViolations, type RecordDepositCommand } from '../../application/record-deposit';
import type { ReleaseHoldCommand } from '../../application/release-hold';

export const QUOTE_TASKS_MAX = 1_001;
/** A million dollars an hour. */
const PRICE_MICROS_MAX = 1_000_000_000_000n;
const GPU_MILLI_MAX = 64_000;
/** Thirty days. */
const RUN_SECONDS_MAX = 2_592_000;
const BANK_REFERENCE_LENGTH_MAX = 140;
/** A quote’s id is the request id that asked for it. */
const QUOTE_ID_LENGTH_MAX = 64;

export function fromProtoPriceQuote({ requestId, organisationId, tasks }: PriceQuoteRequest): PriceQuoteCommand {
  const checks = new FieldChecks().requestId(requestId).uuid('organisation_id', organisationId);
  checks.count('tasks', tasks.length, 1, QUOTE_TASKS_MAX);
  tasks.slice(0, QUOTE_TASKS_MAX).forEach((task, index) => checkTask(checks, `tasks[${index}]`, task));
  checks.refuse();
  return { quoteId: requestId, tasks };
}

function checkTask(checks: FieldChecks, at: string, task: TaskPrice): void {
  checks
    .range(`${at}.price_micros_per_gpu_hour`, task.priceMicrosPerGpuHour, 0n, PRICE_MICROS_MAX)
    .range(`${at}.gpu_milli`, task.gpuMilli, 1, GPU_MILLI_MAX)
    .range(`${at}.max_run_seconds`, task.maxRunSeconds, 1, RUN_SECONDS_MAX)
    .range(`${at}.task_count`, task.taskCount, 1, QUOTE_TASKS_MAX);
}

export function fromProtoPlaceHold({ requestId, organisationId, jobId, quote }: PlaceHoldRequest): PlaceHoldCommand {
  const checks = new FieldChecks()
    .requestId(requestId)
    .uuid('organisation_id', organisationId)
    .uuid('job_id', jobId)
    .present('quote', quote);
  if (requestId !== jobId) checks.add('request_id', 'CONFLICT', 'must be the job’s id');
  if (quote !== undefined) checkQuote(checks, quote);
  checks.refuse();
  return { requestId, organisationId, jobId, quote: fromProtoQuote(quote as ProtoPricedQuote) };
}

function checkQuote(checks: FieldChecks, quote: ProtoPricedQuote): void {
  checks
    .text('quote.quote_id', quote.quoteId, QUOTE_ID_LENGTH_MAX)
    .count('quote.lines', quote.lines.length, 1, QUOTE_TASKS_MAX);
  checks
    .range('quote.total_micros', quote.totalMicros, 0n, 2n ** 63n - 1n)
    .range('quote.fee_bps', quote.feeBps, 0, 10_000);
  if (quote.signature.length === 0) checks.add('quote.signature', 'REQUIRED', 'must be billing’s signature');
}

function fromProtoQuote({
  quoteId,
  lines,
  totalMicros,
  feeBps,
  feePolicyVersion,
  signature,
}: ProtoPricedQuote): SignedQuote {
  return { quoteId, lines, totalMicros, feeBps, feePolicyVersion, signature };
}

export function fromProtoReleaseHold({ requestId, jobId }: ReleaseHoldRequest, service: string): ReleaseHoldCommand {
  new FieldChecks().requestId(requestId).uuid('job_id', jobId).refuse();
  return { service, requestId, jobId };
}

/** The amount's rules are the use case's; they are asked here too, so that all violations come at once. */
export function fromProtoDeposit(request: RecordDepositRequest, operatorId: string): RecordDepositCommand {
  const { requestId, organisationId, amount, bankReference } = request;
  const checks = new FieldChecks()
    .requestId(requestId)
    .uuid('organisation_id', organisationId)
    .present('amount', amount)
    .text('bank_reference', bankReference, BANK_REFERENCE_LENGTH_MAX);
  refuseInvalid([...checks.violations, ...(amount === undefined ? [] : amountViolations(amount))]);
  return { operatorId, requestId, organisationId, amount: amount as { asset: string; amount: bigint }, bankReference };
}
