import { scopeOf, type Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { assertOpen, checkRentalOrder, checkTerms, OFFER_PATHS, type Offer, type OfferTerms } from '../domain/offer';
import { changed, masked } from '../domain/organisation';
import { found, requestScope } from './caller';
import type { Store } from './ports';

export interface UpdateOfferCommand extends OfferTerms {
  readonly requestId: string;
  readonly offerId: string;
  readonly paths: readonly string[];
}

const NAMES: Readonly<Record<(typeof OFFER_PATHS)[number], keyof Offer>> = {
  price_micros_per_gpu_hour: 'priceMicrosPerGpuHour',
  min_rental_seconds: 'minRentalSeconds',
  max_rental_seconds: 'maxRentalSeconds',
};

/** Changes the terms that the mask names, as a new version; running leases keep theirs. Idempotent by request id. */
export class UpdateOffer {
  constructor(private readonly store: Store) {}

  execute(caller: Caller, command: UpdateOfferCommand): Promise<Offer> {
    check(command);
    const { requestId, offerId, paths, priceMicrosPerGpuHour, minRentalSeconds, maxRentalSeconds } = command;
    const terms = { priceMicrosPerGpuHour, minRentalSeconds, maxRentalSeconds };
    const content = [offerId, String(priceMicrosPerGpuHour), minRentalSeconds, maxRentalSeconds, [...paths].sort()];
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'UpdateOffer', requestId, content }, async () => {
        const offer = found(await tx.market.lockOffer(offerId), 'offer', offerId);
        assertOpen(offer);
        const next = changed(offer, masked<Offer>({ ...offer, ...terms }, paths, NAMES));
        refuseDisorder(next);
        await tx.market.saveOffer(next);
        await tx.events.append({ type: 'offer-changed', offer: next });
        return next;
      }),
    );
  }
}

function check(command: UpdateOfferCommand): void {
  const fields = new Fields();
  fields.requestId(command.requestId);
  fields.uuid('offer.offer_id', command.offerId);
  fields.mask(command.paths, OFFER_PATHS);
  checkTerms(fields, command, 'offer.', command.paths);
  fields.refuse();
}

function refuseDisorder(offer: Offer): void {
  const fields = new Fields();
  checkRentalOrder(fields, offer, 'offer.');
  fields.refuse();
}
