import { DomainError } from '@daya/kernel';
import { totalTasks, type JobSpec } from './job-spec';
import type { Candidate, Market } from './market';
import { isFeasible, isFeasibleWhenFree, slotsFree, wantedOf, type Wanted } from './requirements';

export const GPU_MILLI = 1_000;

/** The offer that a task was quoted at. */
export interface QuotedTask {
  readonly taskIndex: number;
  readonly offerId: string;
  readonly gpuModelId: string;
  readonly priceMicrosPerGpuHour: bigint;
  readonly gpuMilli: number;
  readonly maxRunSeconds: number;
}

/** One line of billing's answer. */
export interface PriceLine {
  readonly what: string;
  readonly taskCount: number;
  readonly priceMicrosPerGpuHour: bigint;
  readonly gpuMilli: number;
  readonly maxRunSeconds: number;
  readonly amountMicros: bigint;
}

/** Billing's answer, signed by it; kept exactly as it came. */
export interface PricedQuote {
  readonly quoteId: string;
  readonly lines: readonly PriceLine[];
  readonly totalMicros: bigint;
  readonly feeBps: number;
  readonly feePolicyVersion: string;
  readonly signature: Uint8Array;
}

export interface Quote {
  readonly quoteId: string;
  readonly organisationId: string;
  readonly projectId: string;
  readonly spec: JobSpec;
  readonly tasks: readonly QuotedTask[];
  readonly priced: PricedQuote;
  readonly createTime: Date;
  readonly expireTime: Date;
}

/**
 * Selects an offer for every task: the cheapest places that are free now, each as often as it has room, from the start
 * again when the tasks are more than the places. When all that fit are busy, the places that will be free once.
 * Throws `precondition` NO_FEASIBLE_OFFER when no offer fits at all.
 */
export function selectOffers(market: Market, spec: JobSpec, nowMs: number): QuotedTask[] {
  const wanted = wantedOf(spec);
  const count = totalTasks(spec);
  const places = placesOf(market, wanted, nowMs, count);
  if (places.length === 0) throw new DomainError('precondition', 'NO_FEASIBLE_OFFER', 'no offer can run this job', {});
  return Array.from({ length: count }, (_, taskIndex) => {
    const offer = places[taskIndex % places.length]?.offer;
    if (!offer) throw new Error('a place without an offer');
    return {
      taskIndex,
      offerId: offer.offerId,
      gpuModelId: offer.gpuModelId,
      priceMicrosPerGpuHour: offer.priceMicrosPerGpuHour,
      gpuMilli: wanted.requirements.gpuCount * GPU_MILLI,
      maxRunSeconds: spec.maxRunSeconds,
    };
  });
}

function placesOf(market: Market, wanted: Wanted, nowMs: number, countMax: number): Candidate[] {
  const places: Candidate[] = [];
  for (const candidate of market.candidates(nowMs)) {
    if (places.length >= countMax) break;
    if (isFeasible(candidate, wanted))
      places.push(...Array.from({ length: slotsFree(candidate, wanted) }, () => candidate));
  }
  return places.length > 0 ? places.slice(0, countMax) : busyPlacesOf(market, wanted, nowMs, countMax);
}

function busyPlacesOf(market: Market, wanted: Wanted, nowMs: number, countMax: number): Candidate[] {
  const places: Candidate[] = [];
  for (const candidate of market.candidates(nowMs)) {
    if (places.length >= countMax) break;
    if (isFeasibleWhenFree(candidate, wanted)) places.push(candidate);
  }
  return places;
}
