import { changed } from '../domain/organisation';
import { isWorthTelling, reliabilityBps } from '../domain/reliability';
import type { Transaction } from './ports';

/** A customer's lease on a node has ended: its offers' reliability follows, in steps of a hundredth. */
export class RecordLeaseEnd {
  async execute(tx: Transaction, nodeId: string, providerFault: boolean): Promise<void> {
    if ((await tx.fleet.lockNode(nodeId)) === undefined) return;
    const bps = reliabilityBps(await tx.fleet.countLease(nodeId, providerFault));
    for (const offer of await tx.market.lockOpenOffers(nodeId)) {
      if (!isWorthTelling(offer.reliabilityBps, bps)) continue;
      const next = changed(offer, { reliabilityBps: bps });
      await tx.market.saveOffer(next);
      await tx.events.append({ type: 'offer-changed', offer: next });
    }
  }
}
