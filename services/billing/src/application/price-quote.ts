import { priceQuote, type FeePolicy, type QuoteTask } from '../domain/quote';
import type { QuoteSigner, SignedQuote, Store } from './ports';

export interface PriceQuoteCommand {
  readonly quoteId: string;
  readonly organisationId: string;
  readonly tasks: readonly QuoteTask[];
}

/** Prices and signs a quote; the same id gives the same answer, also after the fee policy has changed. */
export class PriceQuote {
  constructor(
    private readonly store: Store,
    private readonly signer: QuoteSigner,
    private readonly policy: FeePolicy,
  ) {}

  execute({ quoteId, organisationId, tasks }: PriceQuoteCommand): Promise<SignedQuote> {
    const content = tasks.flatMap((task) => [
      task.priceMicrosPerGpuHour,
      task.gpuMilli,
      task.maxRunSeconds,
      task.taskCount,
    ]);
    const key = { scope: organisationId, method: 'PriceQuote', requestId: quoteId, content };
    return this.store.transaction('system', (tx) => tx.requests.once(key, async () => this.price(quoteId, tasks)));
  }

  private price(quoteId: string, tasks: readonly QuoteTask[]): SignedQuote {
    const quote = priceQuote(quoteId, tasks, this.policy);
    return { ...quote, signature: this.signer.sign(quote) };
  }
}
