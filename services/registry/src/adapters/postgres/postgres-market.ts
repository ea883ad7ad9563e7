import { DomainError } from '@daya/kernel';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Market } from '../../application/ports';
import type { GpuModel, ScuRating } from '../../domain/gpu-model';
import type { Offer } from '../../domain/offer';
import { RATED_MODELS, RATINGS } from './gpu-models';
import { OFFERS } from './tables';

export class PostgresMarket implements Market {
  constructor(private readonly em: EntityManager) {}

  async lockModel(gpuModelId: string): Promise<GpuModel | undefined> {
    await write(this.em, 'SELECT 1 FROM gpu_model WHERE gpu_model_id = $1 FOR UPDATE', [gpuModelId]);
    return RATED_MODELS.first(this.em, 'WHERE gpu_model_id = $1', [gpuModelId]);
  }

  async addRating(gpuModelId: string, rating: ScuRating, version: bigint): Promise<void> {
    await RATINGS.insert(this.em, { ...rating, gpuModelId });
    await write(this.em, 'UPDATE gpu_model SET version = $2 WHERE gpu_model_id = $1', [gpuModelId, version.toString()]);
  }

  models(gpuModelIds?: readonly string[]): Promise<readonly GpuModel[]> {
    if (gpuModelIds === undefined) return RATED_MODELS.select(this.em, 'ORDER BY gpu_model_id', []);
    return RATED_MODELS.select(this.em, 'WHERE gpu_model_id = ANY($1::text[]) ORDER BY gpu_model_id', [gpuModelIds]);
  }

  async addOffer(offer: Offer): Promise<void> {
    const metadata = { node_id: offer.nodeId, gpu_model_id: offer.gpuModelId };
    const taken = (): DomainError =>
      new DomainError('already-exists', 'OFFER_EXISTS', 'the node has an open offer of this model', metadata);
    await OFFERS.insert(this.em, offer, { offer_open: taken });
  }

  /** Under an organisation's scope a foreign open offer can be read but not locked, so it looks like a missing one. */
  lockOffer(offerId: string): Promise<Offer | undefined> {
    return OFFERS.first(this.em, 'WHERE offer_id = $1 FOR UPDATE', [offerId]);
  }

  lockOpenOffers(nodeId: string): Promise<readonly Offer[]> {
    return OFFERS.select(this.em, `WHERE node_id = $1 AND state = 'open' ORDER BY offer_id FOR UPDATE`, [nodeId]);
  }

  saveOffer(offer: Offer): Promise<void> {
    return OFFERS.update(this.em, offer);
  }
}
