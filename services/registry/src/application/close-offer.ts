import { scopeOf, type Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { close, type Offer } from '../domain/offer';
import { found, requestScope } from './caller';
import type { Store } from './ports';

export interface CloseOfferCommand {
  readonly requestId: string;
  readonly offerId: string;
}

/** Takes an offer off the market; running leases go on. Twice is once. Idempotent by request id. */
export class CloseOffer {
  constructor(private readonly store: Store) {}

  execute(caller: Caller, { requestId, offerId }: CloseOfferCommand): Promise<Offer> {
    const fields = new Fields();
    fields.requestId(requestId);
    fields.uuid('offer_id', offerId);
    fields.refuse();
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once(
        { scope: requestScope(caller), method: 'CloseOffer', requestId, content: [offerId] },
        async () => {
          const offer = found(await tx.market.lockOffer(offerId), 'offer', offerId);
          const closed = close(offer);
          if (closed === offer) return offer;
          await tx.market.saveOffer(closed);
          await tx.events.append({ type: 'offer-changed', offer: closed });
          return closed;
        },
      ),
    );
  }
}
