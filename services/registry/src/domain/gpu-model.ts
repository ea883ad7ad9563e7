import type { Fields } from './fields';

export const WORK_KINDS = ['training', 'inference', 'rendering'] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

const MSCU_MAX = 1_000_000;
const SOURCE_LENGTH_MAX = 500;

/** A model of the catalogue. Prices are for comparison only; each says where it is from. */
export interface GpuModel {
  readonly gpuModelId: string;
  readonly displayName: string;
  readonly vramMib: number;
  readonly segment: 'consumer' | 'datacentre';
  readonly purchasePriceMicros: bigint;
  readonly purchasePriceSource: string;
  readonly cloudPriceMicrosPerHour: bigint;
  readonly cloudPriceSource: string;
  /** The newest rating of each kind of work. */
  readonly scuRatings: readonly ScuRating[];
  readonly version: bigint;
}

/** Thousandths of a standard compute unit that one GPU gives, for a kind of work. Old versions stay stored. */
export interface ScuRating {
  readonly workKind: WorkKind;
  readonly mscu: number;
  readonly source: string;
  readonly ratingVersion: number;
}

export const workKindOf = (text: string): WorkKind | undefined => WORK_KINDS.find((kind) => kind === text);

export function checkRating(
  fields: Fields,
  rating: { readonly workKind: string; readonly mscu: number; readonly source: string },
): void {
  fields.known('work_kind', workKindOf(rating.workKind), WORK_KINDS);
  fields.range('mscu', rating.mscu, 1, MSCU_MAX);
  fields.text('source', rating.source, SOURCE_LENGTH_MAX);
}
