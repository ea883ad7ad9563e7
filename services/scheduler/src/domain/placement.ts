import type { Candidate, Gpu, Market, MarketNode, MarketOffer } from './market';
import { eligibleGpus, isFeasible, type Wanted } from './requirements';

/** Where a task goes. */
export interface Choice {
  readonly node: MarketNode;
  /** Undefined for a canary, which is pinned to its node and costs nothing. */
  readonly offer: MarketOffer | undefined;
  readonly gpus: readonly Gpu[];
}

/**
 * The cheapest feasible offer; among equal prices the most reliable, then the one that leaves fewest GPUs over, then the
 * lowest id. Undefined when none fits now.
 */
export function choose(market: Market, wanted: Wanted, nowMs: number): Choice | undefined {
  const { gpuCount } = wanted.requirements;
  let best: Candidate | undefined;
  let bestCount = Infinity;
  for (const candidate of market.candidates(nowMs)) {
    // The best come first: nothing behind a worse offer, or behind one that fits exactly, is better.
    if (best && (bestCount === gpuCount || isWorse(candidate.offer, best.offer))) break;
    if (!isFeasible(candidate, wanted)) continue;
    const count = eligibleGpus(candidate, wanted).length;
    if (count < bestCount) [best, bestCount] = [candidate, count];
  }
  if (!best) return undefined;
  return {
    node: best.node,
    offer: best.offer,
    gpus: eligibleGpus(best, wanted).slice(0, wanted.requirements.gpuCount),
  };
}

const isWorse = (one: MarketOffer, other: MarketOffer): boolean =>
  one.priceMicrosPerGpuHour > other.priceMicrosPerGpuHour || one.reliabilityBps < other.reliabilityBps;

/** A canary's place: its node, whatever the market says of it, once it is heard of and has the GPUs free. */
export function choosePinned(market: Market, nodeId: string, wanted: Wanted, nowMs: number): Choice | undefined {
  const node = market.node(nodeId);
  if (!node || !market.isAvailable(nodeId, nowMs)) return undefined;
  const { gpuModelIds, gpuCount, minVramMib, cpuMilli, memoryMib, scratchMib } = wanted.requirements;
  const free = market.freeOf(nodeId);
  if (free.cpuMilli < cpuMilli || free.memoryMib < memoryMib || free.scratchMib < scratchMib) return undefined;
  for (const model of new Set(free.gpus.map(({ gpuModelId }) => gpuModelId))) {
    if (gpuModelIds.length > 0 && !gpuModelIds.includes(model)) continue;
    const gpus = free.gpus.filter((gpu) => gpu.gpuModelId === model && gpu.vramMib >= minVramMib).slice(0, gpuCount);
    if (gpus.length === gpuCount) return { node, offer: undefined, gpus };
  }
  return undefined;
}
