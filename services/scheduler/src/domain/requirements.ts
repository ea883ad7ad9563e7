import type { JobSpec, NetworkAccess, Requirements } from './job-spec';
import type { Candidate, Gpu } from './market';

/** What one task asks of an offer. */
export interface Wanted {
  readonly requirements: Requirements;
  readonly network: NetworkAccess;
  readonly maxRunSeconds: number;
  /** The quoted price, where there is one. */
  readonly priceMicrosMax: bigint | undefined;
}

export const wantedOf = (spec: JobSpec, priceMicrosMax?: bigint): Wanted => ({
  requirements: spec.requirements,
  network: spec.network,
  maxRunSeconds: spec.maxRunSeconds,
  priceMicrosMax,
});

/** Stable words; an explanation counts offers by the first that they fail, in this order. */
export const REQUIREMENT_NAMES = [
  'GPU_MODEL',
  'GPU_COUNT',
  'VRAM',
  'CPU',
  'MEMORY',
  'SCRATCH',
  'REGION',
  'PRICE',
  'RELIABILITY',
  'REAL_GPUS',
  'NETWORK',
  'RENTAL_TIME',
  'UNSCHEDULABLE',
  'OFFLINE',
  'BUSY',
] as const;
export type RequirementName = (typeof REQUIREMENT_NAMES)[number];

type Check = (candidate: Candidate, wanted: Wanted) => boolean;

const ofModel = ({ node, offer }: Candidate): readonly Gpu[] =>
  node.gpus.filter((gpu) => gpu.gpuModelId === offer.gpuModelId);

const CHECKS: Readonly<Record<RequirementName, Check>> = {
  GPU_MODEL: ({ offer }, { requirements: { gpuModelIds } }) =>
    gpuModelIds.length === 0 || gpuModelIds.includes(offer.gpuModelId),
  GPU_COUNT: (candidate, { requirements }) => ofModel(candidate).length >= requirements.gpuCount,
  VRAM: (candidate, { requirements }) =>
    ofModel(candidate).filter(({ vramMib }) => vramMib >= requirements.minVramMib).length >= requirements.gpuCount,
  CPU: ({ node }, { requirements }) => node.cpuMilli >= requirements.cpuMilli,
  MEMORY: ({ node }, { requirements }) => node.memoryMib >= requirements.memoryMib,
  SCRATCH: ({ node }, { requirements }) => node.scratchMib >= requirements.scratchMib,
  REGION: ({ offer }, { requirements: { regions } }) => regions.length === 0 || regions.includes(offer.region),
  PRICE: ({ offer }, { requirements, priceMicrosMax }) => {
    const { maxPriceMicrosPerGpuHour: limit } = requirements;
    const affordable = limit === 0n || offer.priceMicrosPerGpuHour <= limit;
    return affordable && (priceMicrosMax === undefined || offer.priceMicrosPerGpuHour <= priceMicrosMax);
  },
  RELIABILITY: ({ offer }, { requirements }) => offer.reliabilityBps >= requirements.minReliabilityBps,
  REAL_GPUS: ({ offer, node }, { requirements }) => !requirements.realGpusOnly || !(offer.emulated || node.emulated),
  NETWORK: ({ offer, node }, { network }) => network === 'NONE' || (offer.networkAllowed && node.networkAllowed),
  RENTAL_TIME: ({ offer }, { maxRunSeconds }) =>
    maxRunSeconds >= offer.minRentalSeconds &&
    (offer.maxRentalSeconds === 0 || maxRunSeconds <= offer.maxRentalSeconds),
  UNSCHEDULABLE: ({ node }) => node.schedulable,
  OFFLINE: ({ available }) => available,
  BUSY: (candidate, wanted) => slotsFree(candidate, wanted) >= 1,
};

const IGNORING_BUSY = REQUIREMENT_NAMES.filter((name) => name !== 'BUSY');

/** What most offers of a large market fail is looked at first: they are busy or away. */
export const isFeasible = (candidate: Candidate, wanted: Wanted): boolean =>
  candidate.available &&
  candidate.free.gpus.length >= wanted.requirements.gpuCount &&
  REQUIREMENT_NAMES.every((name) => CHECKS[name](candidate, wanted));

/** It could run there if nobody else did. */
export const isFeasibleWhenFree = (candidate: Candidate, wanted: Wanted): boolean =>
  IGNORING_BUSY.every((name) => CHECKS[name](candidate, wanted));

export const firstFailed = (candidate: Candidate, wanted: Wanted): RequirementName | undefined =>
  REQUIREMENT_NAMES.find((name) => !CHECKS[name](candidate, wanted));

/** Free GPUs of the offer that have the memory asked for. */
export const eligibleGpus = ({ offer, free }: Candidate, { requirements }: Wanted): readonly Gpu[] =>
  free.gpus.filter(({ gpuModelId, vramMib }) => gpuModelId === offer.gpuModelId && vramMib >= requirements.minVramMib);

/** How many such tasks could start there at once. */
export function slotsFree(candidate: Candidate, wanted: Wanted): number {
  const { gpuCount, cpuMilli, memoryMib, scratchMib } = wanted.requirements;
  const { free } = candidate;
  const byGpu = Math.floor(eligibleGpus(candidate, wanted).length / gpuCount);
  return Math.max(
    0,
    Math.min(
      byGpu,
      Math.floor(free.cpuMilli / cpuMilli),
      Math.floor(free.memoryMib / memoryMib),
      Math.floor(free.scratchMib / scratchMib),
    ),
  );
}
