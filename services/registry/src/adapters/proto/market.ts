import { toTimestamp } from '@daya/proto';
import type { GpuModel as GpuModelProto, Offer as OfferProto } from '@daya/proto/registry';
import type { GpuModel } from '../../domain/gpu-model';
import type { Offer } from '../../domain/offer';
import { OFFER_STATE } from './enums';

export const toProtoOffer = (offer: Offer): OfferProto => ({
  ...offer,
  state: OFFER_STATE[offer.state],
  createTime: toTimestamp(offer.createTime),
});

export const toProtoGpuModel = (model: GpuModel): GpuModelProto => ({
  ...model,
  scuRatings: model.scuRatings.map((rating) => ({ ...rating })),
});
