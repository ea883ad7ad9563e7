import {
  BillingServiceService,
  PriceQuoteRequest,
  type PricedQuote,
  type PriceQuoteResponse,
} from '@daya/proto/billing';
import { control, type Control } from '../control';
import { inner, list, named, optionalUuid, range, required, shaped, text, wrongBytes, type Rule } from '../rules';
import { PATIENT, type World } from '../world';

const { priceQuote, placeHold, releaseHold, getHold, recordDeposit } = BillingServiceService;
const { getBalance, listTransfers, getJobStatement, getInvoice, listInvoices, getTrialBalance } = BillingServiceService;
const TASK = { priceMicrosPerGpuHour: 500_000n, gpuMilli: 1_000, maxRunSeconds: 600, taskCount: 2 };

async function quote(world: World): Promise<PricedQuote> {
  const { organisationId } = await world.customer();
  const request = PriceQuoteRequest.fromPartial({ requestId: world.requestId(), organisationId, tasks: [TASK] });
  const { quote: priced }: PriceQuoteResponse = await world
    .client('scheduler', 'billing', BillingServiceService)
    .priceQuote(request, PATIENT);
  if (priced === undefined) throw new Error('billing gave no quote');
  return priced;
}

async function heldJob(world: World): Promise<string> {
  const jobId = world.requestId();
  const { organisationId } = await world.customer();
  const request = { requestId: jobId, organisationId, jobId, quote: await quote(world) };
  await world.client('scheduler', 'billing', BillingServiceService).placeHold(request, PATIENT);
  return jobId;
}

/** Whatever is changed in a quote, its signature no longer holds. */
const unsigned = (rule: Rule): Rule => named('quote.signature', rule);
const page = { pageSize: 10, pageToken: '' };

export const BILLING: readonly Control[] = [
  control(priceQuote, {
    as: 'scheduler',
    request: async (world) => {
      const { organisationId } = await world.customer();
      return {
        requestId: world.requestId(),
        organisationId,
        tasks: [TASK, { ...TASK, gpuMilli: 2_000 }, { ...TASK, taskCount: 7 }],
      };
    },
    rules: {
      tasks: list(inner(), { min: 1, max: 1_001 }),
      'tasks.price_micros_per_gpu_hour': range(0, 1_000_000_000_000n, true),
      'tasks.gpu_milli': range(1, 64_000),
      'tasks.max_run_seconds': range(1, 2_592_000),
      'tasks.task_count': range(1, 1_001),
    },
  }),
  control(placeHold, {
    as: 'scheduler',
    request: async (world) => {
      const jobId = world.requestId();
      return {
        requestId: jobId,
        organisationId: (await world.customer()).organisationId,
        jobId,
        quote: await quote(world),
      };
    },
    rules: {
      quote: required(),
      'quote.quote_id': text(64),
      'quote.lines': list(inner(), { min: 1, max: 1_001 }),
      'quote.lines.what': unsigned(shaped(['computed', 'COMPUTE', 'x'.repeat(2_000), '\0'])),
      'quote.lines.task_count': unsigned(range(2, 2)),
      'quote.lines.price_micros_per_gpu_hour': unsigned(range(500_000, 500_000, true)),
      'quote.lines.gpu_milli': unsigned(range(1_000, 1_000)),
      'quote.lines.max_run_seconds': unsigned(range(600, 600)),
      'quote.lines.amount_micros': unsigned(range(166_666, 166_666, true)),
      'quote.total_micros': range(0, 2n ** 63n - 1n, true),
      'quote.fee_bps': range(0, 10_000),
      'quote.fee_policy_version': unsigned(shaped(['2020-01', 'x'.repeat(2_000), '\0'])),
      'quote.signature': wrongBytes([
        ['none', new Uint8Array()],
        ['63 bytes', Buffer.alloc(63, 1)],
        ['64 other bytes', Buffer.alloc(64, 1)],
        ['65 bytes', Buffer.alloc(65, 1)],
        ['zeros', Buffer.alloc(64)],
      ]),
    },
  }),
  control(releaseHold, {
    as: 'scheduler',
    request: async (world) => ({ requestId: world.requestId(), jobId: await heldJob(world) }),
  }),
  control(getHold, { as: 'customer', request: async (world) => ({ jobId: (await world.settledJob()).jobId }) }),
  control(recordDeposit, {
    as: 'operator',
    request: async (world) => ({
      requestId: world.requestId(),
      organisationId: (await world.customer()).organisationId,
      amount: { asset: 'USD', amount: 5_000_000n },
      bankReference: `hostile ${world.requestId()}`,
    }),
    rules: {
      amount: required(),
      'amount.asset': shaped(['usd', 'EUR', 'USD ', 'CREDIT', 'DAYA', 'USDC:eip155:1', 'U'.repeat(1_000), '\0']),
      'amount.amount': range(1, 1_000_000_000_000_000n, true),
      bank_reference: text(140),
    },
  }),
  control(getBalance, {
    as: 'customer',
    request: () => ({ organisationId: '' }),
    rules: { organisation_id: optionalUuid() },
  }),
  control(listTransfers, { as: 'customer', request: () => page }),
  control(getJobStatement, { as: 'customer', request: async (world) => ({ jobId: (await world.settledJob()).jobId }) }),
  control(getInvoice, {
    as: 'customer',
    request: async (world) => ({ invoiceId: (await world.settledJob()).invoiceId }),
  }),
  control(listInvoices, { as: 'customer', request: () => ({ ...page, jobId: '' }), rules: { job_id: optionalUuid() } }),
  control(getTrialBalance, { as: 'operator', request: () => page }),
];
