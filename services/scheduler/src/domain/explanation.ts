import type { Market } from './market';
import { firstFailed, REQUIREMENT_NAMES, type RequirementName, type Wanted } from './requirements';

export interface Explanation {
  readonly offerCount: number;
  readonly feasibleOfferCount: number;
  /** Offers by the first requirement that they fail; together with the feasible ones they are all offers. */
  readonly removed: readonly { readonly requirement: RequirementName; readonly offerCount: number }[];
  /** 0 when nothing fits. */
  readonly cheapestPriceMicrosPerGpuHour: bigint;
}

/** Why a task can or cannot be placed now. */
export function explain(market: Market, wanted: Wanted, nowMs: number): Explanation {
  const removed = new Map<RequirementName, number>();
  let feasible = 0;
  let total = 0;
  let cheapest = 0n;
  for (const candidate of market.candidates(nowMs)) {
    total += 1;
    const failed = firstFailed(candidate, wanted);
    if (failed !== undefined) {
      removed.set(failed, (removed.get(failed) ?? 0) + 1);
      continue;
    }
    if (feasible === 0) cheapest = candidate.offer.priceMicrosPerGpuHour;
    feasible += 1;
  }
  const counts = REQUIREMENT_NAMES.flatMap((requirement) => {
    const offerCount = removed.get(requirement);
    return offerCount === undefined ? [] : [{ requirement, offerCount }];
  });
  return { offerCount: total, feasibleOfferCount: feasible, removed: counts, cheapestPriceMicrosPerGpuHour: cheapest };
}
