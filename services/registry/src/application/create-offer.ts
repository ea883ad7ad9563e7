import { scopeOf, type Caller, type Clock, type IdGenerator } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { assertNotRevoked } from '../domain/node';
import { checkRentalOrder, checkTerms, newOffer, type Offer, type OfferTerms } from '../domain/offer';
import { reliabilityBps } from '../domain/reliability';
import { found, requestScope } from './caller';
import type { Store, Transaction } from './ports';

export interface CreateOfferCommand extends OfferTerms {
  readonly requestId: string;
  readonly nodeId: string;
  readonly gpuModelId: string;
}

/** Offers a node's GPUs of one model; a node has one open offer per model. Idempotent by request id. */
export class CreateOffer {
  constructor(
    private readonly store: Store,
    private readonly ids: IdGenerator,
    private readonly clock: Clock,
  ) {}

  execute(caller: Caller, command: CreateOfferCommand): Promise<Offer> {
    check(command);
    const { requestId, nodeId, gpuModelId, priceMicrosPerGpuHour, minRentalSeconds, maxRentalSeconds } = command;
    const content = [nodeId, gpuModelId, String(priceMicrosPerGpuHour), minRentalSeconds, maxRentalSeconds];
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'CreateOffer', requestId, content }, () =>
        this.create(tx, command),
      ),
    );
  }

  private async create(tx: Transaction, command: CreateOfferCommand): Promise<Offer> {
    const { nodeId, gpuModelId, priceMicrosPerGpuHour, minRentalSeconds, maxRentalSeconds } = command;
    const node = found(await tx.fleet.lockNode(nodeId), 'node', nodeId);
    assertNotRevoked(node);
    const bps = reliabilityBps(await tx.fleet.leaseHistory(nodeId));
    const terms = { gpuModelId, priceMicrosPerGpuHour, minRentalSeconds, maxRentalSeconds, reliabilityBps: bps };
    const offer = newOffer(node, { ...terms, offerId: this.ids.next() }, this.clock.now());
    await tx.market.addOffer(offer);
    await tx.events.append({ type: 'offer-changed', offer });
    return offer;
  }
}

function check(command: CreateOfferCommand): void {
  const fields = new Fields();
  fields.requestId(command.requestId);
  fields.uuid('node_id', command.nodeId);
  fields.slug('gpu_model_id', command.gpuModelId);
  checkTerms(fields, command);
  if (command.maxRentalSeconds > 0) checkRentalOrder(fields, command);
  fields.refuse();
}
