import { OfferServiceService, OfferState } from '@daya/proto/registry';
import { control, type Control } from '../control';
import { mask, range, shaped, text } from '../rules';
import { MODEL, REGION } from '../world';
import { optionalSlug, outputs, page, slug } from './registry-fields';

const { createOffer, getOffer, listOffers, updateOffer, closeOffer, listGpuModels, putScuRating } = OfferServiceService;
const PRICE_MAX = 1_000_000_000n;
const RENTAL_MAX = 366 * 86_400;
const terms = { priceMicrosPerGpuHour: 700_000n, minRentalSeconds: 60, maxRentalSeconds: 3_600 };

export const OFFER: readonly Control[] = [
  control(updateOffer, {
    as: 'provider',
    request: async (world) => {
      const own = { offerId: await world.freshOffer(), ...terms, priceMicrosPerGpuHour: 710_000n };
      const paths = ['price_micros_per_gpu_hour', 'min_rental_seconds', 'max_rental_seconds'];
      const blank = {
        nodeId: '',
        providerId: '',
        organisationId: '',
        gpuModelId: '',
        gpuCount: 0,
        region: '',
        reliabilityBps: 0,
      };
      const rest = {
        networkAllowed: false,
        state: OfferState.UNSPECIFIED,
        createTime: undefined,
        version: 0n,
        emulated: false,
      };
      return { requestId: world.requestId(), offer: { ...blank, ...rest, ...own }, updateMask: paths };
    },
    rules: {
      ...outputs('offer', [
        'node_id',
        'provider_id',
        'organisation_id',
        'gpu_model_id',
        'gpu_count',
        'region',
        'reliability_bps',
        'state',
        'create_time',
        'version',
      ]),
      'offer.price_micros_per_gpu_hour': range(1, PRICE_MAX, true),
      'offer.min_rental_seconds': range(0, 3_600),
      'offer.max_rental_seconds': range(1, RENTAL_MAX),
      update_mask: mask(['price_micros_per_gpu_hour', 'min_rental_seconds', 'max_rental_seconds']),
    },
  }),
  control(getOffer, { as: 'provider', request: async (world) => ({ offerId: await world.freshOffer() }) }),
  control(listOffers, {
    as: 'customer',
    request: () => ({ ...page, gpuModelId: MODEL, region: REGION }),
    rules: { gpu_model_id: optionalSlug(), region: optionalSlug() },
  }),
  control(closeOffer, {
    as: 'provider',
    request: async (world) => ({ requestId: world.requestId(), offerId: await world.freshOffer() }),
  }),
  control(createOffer, {
    as: 'provider',
    request: async (world) => ({
      requestId: world.requestId(),
      nodeId: (await world.node()).nodeId,
      gpuModelId: world.spareModel(),
      ...terms,
    }),
    rules: {
      gpu_model_id: slug(),
      price_micros_per_gpu_hour: range(1, PRICE_MAX, true),
      min_rental_seconds: range(0, 3_600),
      max_rental_seconds: range(1, RENTAL_MAX),
    },
  }),
  control(listGpuModels, { as: 'customer', request: () => page }),
  control(putScuRating, {
    as: 'operator',
    request: (world) => ({
      requestId: world.requestId(),
      gpuModelId: MODEL,
      workKind: 'rendering',
      mscu: 1_000,
      source: 'measured',
    }),
    rules: {
      gpu_model_id: slug(),
      work_kind: shaped(['TRAINING', 'mining', 'training ', '\0', 'x'.repeat(5_000), '*', 'null']),
      mscu: range(1, 1_000_000),
      source: text(500),
    },
  }),
];
