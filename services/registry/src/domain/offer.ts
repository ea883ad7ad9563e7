import { DomainError } from '@daya/kernel';
import type { Fields } from './fields';
import { gpuCountOf } from './inventory';
import type { Node } from './node';
import { changed } from './organisation';

/** Priced capacity: the GPUs of one model on one node. */
export interface Offer {
  readonly offerId: string;
  readonly nodeId: string;
  readonly providerId: string;
  readonly organisationId: string;
  readonly gpuModelId: string;
  readonly gpuCount: number;
  readonly priceMicrosPerGpuHour: bigint;
  readonly region: string;
  /** Share of leases that ended without the provider's fault, of 10,000. */
  readonly reliabilityBps: number;
  readonly minRentalSeconds: number;
  readonly maxRentalSeconds: number;
  readonly networkAllowed: boolean;
  readonly state: 'open' | 'closed';
  readonly createTime: Date;
  readonly version: bigint;
  readonly emulated: boolean;
}

export interface OfferTerms {
  readonly priceMicrosPerGpuHour: bigint;
  readonly minRentalSeconds: number;
  readonly maxRentalSeconds: number;
}

/** 1,000 dollars. */
export const PRICE_MICROS_PER_GPU_HOUR_MAX = 1_000_000_000n;
export const RENTAL_SECONDS_MAX = 366 * 86_400;
/** What UpdateOffer may change. */
export const OFFER_PATHS = ['price_micros_per_gpu_hour', 'min_rental_seconds', 'max_rental_seconds'] as const;

/** Checks the terms that `paths` name. Fields stand under `prefix`. */
export function checkTerms(
  fields: Fields,
  terms: OfferTerms,
  prefix = '',
  paths: readonly string[] = OFFER_PATHS,
): void {
  const named = (path: (typeof OFFER_PATHS)[number]): boolean => paths.includes(path);
  if (named('price_micros_per_gpu_hour')) {
    fields.range(`${prefix}price_micros_per_gpu_hour`, terms.priceMicrosPerGpuHour, 1n, PRICE_MICROS_PER_GPU_HOUR_MAX);
  }
  if (named('min_rental_seconds'))
    fields.range(`${prefix}min_rental_seconds`, terms.minRentalSeconds, 0, RENTAL_SECONDS_MAX);
  if (named('max_rental_seconds'))
    fields.range(`${prefix}max_rental_seconds`, terms.maxRentalSeconds, 1, RENTAL_SECONDS_MAX);
}

/** The shortest rental is not longer than the longest, in the offer as it will be. */
export function checkRentalOrder(
  fields: Fields,
  { minRentalSeconds, maxRentalSeconds }: OfferTerms,
  prefix = '',
): void {
  const inOrder = minRentalSeconds <= maxRentalSeconds;
  fields.require(inOrder, `${prefix}min_rental_seconds`, 'CONFLICT', 'must not be above max_rental_seconds');
}

/** Throws `precondition` NODE_REVOKED, GPU_MODEL_NOT_ON_NODE. */
export function newOffer(
  node: Node,
  terms: OfferTerms & { readonly offerId: string; readonly gpuModelId: string; readonly reliabilityBps: number },
  now: Date,
): Offer {
  const gpuCount = gpuCountOf(node.inventory, terms.gpuModelId);
  if (gpuCount === 0) {
    const metadata = { node_id: node.nodeId, gpu_model_id: terms.gpuModelId };
    throw new DomainError('precondition', 'GPU_MODEL_NOT_ON_NODE', 'the node reports no GPU of this model', metadata);
  }
  return {
    ...terms,
    nodeId: node.nodeId,
    providerId: node.providerId,
    organisationId: node.organisationId,
    gpuCount,
    region: node.region,
    networkAllowed: node.inventory?.networkAllowed ?? false,
    state: 'open',
    createTime: now,
    version: 1n,
    emulated: node.emulated,
  };
}

/** Throws `precondition` OFFER_CLOSED. */
export function assertOpen(offer: Offer): void {
  if (offer.state === 'open') return;
  throw new DomainError('precondition', 'OFFER_CLOSED', 'the offer is closed', { offer_id: offer.offerId });
}

/** Twice is once. */
export const close = (offer: Offer): Offer => (offer.state === 'closed' ? offer : changed(offer, { state: 'closed' }));

/** An open offer after its node changed: what it says of the node follows; it closes when the GPUs are gone. */
export function followNode(offer: Offer, node: Node): Offer {
  if (offer.state === 'closed') return offer;
  const gpuCount = gpuCountOf(node.inventory, offer.gpuModelId);
  if (gpuCount === 0 || node.revokeTime !== undefined) return close(offer);
  const networkAllowed = node.inventory?.networkAllowed ?? false;
  const same = gpuCount === offer.gpuCount && networkAllowed === offer.networkAllowed && node.region === offer.region;
  return same ? offer : changed(offer, { gpuCount, networkAllowed, region: node.region });
}
