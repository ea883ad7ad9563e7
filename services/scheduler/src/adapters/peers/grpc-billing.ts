import { toDomainError, type GrpcClient } from '@daya/nest';
import type { BillingServiceService } from '@daya/proto/billing';
import { Billing } from '../../application/ports';
import type { PricedQuote, QuotedTask } from '../../domain/quote';
import { fromProtoPriced, toProtoPriced } from '../proto-events';

/** Less than the caller's usual deadline, so that there is time to say what went wrong. */
const DEADLINE_MS = 4_000;

/** Billing over gRPC. Its refusals come through unchanged. */
export class GrpcBilling extends Billing {
  constructor(private readonly client: GrpcClient<typeof BillingServiceService>) {
    super();
  }

  override async priceQuote(
    quoteId: string,
    organisationId: string,
    tasks: readonly QuotedTask[],
  ): Promise<PricedQuote> {
    const request = { requestId: quoteId, organisationId, tasks: groupAlike(tasks) };
    const { quote } = await this.answer(this.client.priceQuote(request, { deadlineMs: DEADLINE_MS }));
    if (!quote) throw new Error('billing priced a quote and sent none');
    return fromProtoPriced(quote);
  }

  override async placeHold(jobId: string, organisationId: string, priced: PricedQuote): Promise<void> {
    const request = { requestId: jobId, organisationId, jobId, quote: toProtoPriced(priced) };
    await this.answer(this.client.placeHold(request, { deadlineMs: DEADLINE_MS }));
  }

  override async releaseHold(jobId: string): Promise<void> {
    await this.answer(this.client.releaseHold({ requestId: `release-${jobId}`, jobId }, { deadlineMs: DEADLINE_MS }));
  }

  private async answer<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      throw toDomainError(error);
    }
  }
}

interface AlikeTasks {
  readonly priceMicrosPerGpuHour: bigint;
  readonly gpuMilli: number;
  readonly maxRunSeconds: number;
  taskCount: number;
}

/** Tasks of one price are one line. */
function groupAlike(tasks: readonly QuotedTask[]): AlikeTasks[] {
  const groups = new Map<string, AlikeTasks>();
  for (const { priceMicrosPerGpuHour, gpuMilli, maxRunSeconds } of tasks) {
    const key = `${priceMicrosPerGpuHour} ${gpuMilli} ${maxRunSeconds}`;
    const group = groups.get(key) ?? { priceMicrosPerGpuHour, gpuMilli, maxRunSeconds, taskCount: 0 };
    group.taskCount += 1;
    groups.set(key, group);
  }
  return [...groups.values()];
}
