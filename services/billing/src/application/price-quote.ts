import { priceQuote, type FeePolicy, type QuoteTask } from '../domain/quote';
import type { QuoteSigner, SignedQuote } from './ports';

export interface PriceQuoteCommand {
  readonly quoteId: string;
  readonly tasks: readonly QuoteTask[];
}

/**
 * Prices and signs a quote. Nothing is stored: the signed quote itself comes back when money is set aside, and only the
 * signature says that it is billing's. The same question gets the same answer until the fee policy changes.
 */
export class PriceQuote {
  constructor(
    private readonly signer: QuoteSigner,
    private readonly policy: FeePolicy,
  ) {}

  execute({ quoteId, tasks }: PriceQuoteCommand): SignedQuote {
    const quote = priceQuote(quoteId, tasks, this.policy);
    return { ...quote, signature: this.signer.sign(quote) };
  }
}
