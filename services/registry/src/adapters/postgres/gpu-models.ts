import type { GpuModel, ScuRating } from '../../domain/gpu-model';
import { Table } from './table';

/** The catalogue with each model's newest ratings: the view `gpu_model_rated` of the migration. */
export const RATED_MODELS = new Table<GpuModel>('gpu_model_rated', ['gpuModelId'], {
  gpuModelId: 'plain',
  displayName: 'plain',
  vramMib: 'plain',
  segment: 'plain',
  purchasePriceMicros: 'bigint',
  purchasePriceSource: 'plain',
  cloudPriceMicrosPerHour: 'bigint',
  cloudPriceSource: 'plain',
  scuRatings: 'json',
  version: 'bigint',
});

export const RATINGS = new Table<ScuRating & { readonly gpuModelId: string }>(
  'scu_rating',
  ['gpuModelId', 'workKind', 'ratingVersion'],
  {
    gpuModelId: 'plain',
    workKind: 'plain',
    ratingVersion: 'plain',
    mscu: 'plain',
    source: 'plain',
  },
);
