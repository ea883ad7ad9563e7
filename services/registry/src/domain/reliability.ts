/** How a node's leases have ended so far; canaries do not count. */
export interface LeaseHistory {
  readonly endedCount: bigint;
  readonly providerFaultCount: bigint;
}

const BPS = 10_000n;
/** A node without a history is taken for one that ended 19 of 20 leases well, so that a single fault does not sink it. */
const PRIOR_ENDED = 20n;
const PRIOR_FAULTS = 1n;
/** Every change of an offer is a new version that quotes may miss, so a smaller one waits. */
const STEP_BPS = 100;

/** Share of leases that ended without the provider's fault, of 10,000, rounded down. */
export function reliabilityBps({ endedCount, providerFaultCount }: LeaseHistory): number {
  const ended = endedCount + PRIOR_ENDED;
  return Number(((ended - providerFaultCount - PRIOR_FAULTS) * BPS) / ended);
}

export const isWorthTelling = (knownBps: number, nowBps: number): boolean => Math.abs(knownBps - nowBps) >= STEP_BPS;
