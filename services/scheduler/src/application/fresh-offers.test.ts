import { FreshOffers } from './fresh-offers';
import type { OfferFacts } from './ports';

const facts = (leaseId: string): OfferFacts => ({ run: { terms: { leaseId } } }) as OfferFacts;

test('an offer is given out once, and the oldest make room for new ones', () => {
  const offers = new FreshOffers();
  for (let count = 0; count <= 1_000; count += 1) offers.add(facts(`${count}`));
  expect(offers.take('0')).toBeUndefined();
  expect(offers.take('1')?.run.terms.leaseId).toBe('1');
  expect(offers.take('1')).toBeUndefined();
  expect(offers.take('1000')?.run.terms.leaseId).toBe('1000');
  offers.clear();
  expect(offers.take('2')).toBeUndefined();
});
