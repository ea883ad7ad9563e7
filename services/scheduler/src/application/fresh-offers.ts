import type { OfferFacts } from './ports';

const FRESH_MAX = 1_000;

/**
 * Offers that this writer has just made and nobody has fetched: dispatch asks for each within milliseconds, and all that it
 * needs is still at hand. Each is given out once; whoever asks again, or elsewhere, is answered from the database.
 */
export class FreshOffers {
  private readonly offers = new Map<string, OfferFacts>();

  add(facts: OfferFacts): void {
    const [oldest] = this.offers.keys();
    if (oldest !== undefined && this.offers.size >= FRESH_MAX) this.offers.delete(oldest);
    this.offers.set(facts.run.terms.leaseId, facts);
  }

  take(leaseId: string): OfferFacts | undefined {
    const facts = this.offers.get(leaseId);
    this.offers.delete(leaseId);
    return facts;
  }

  clear(): void {
    this.offers.clear();
  }
}
