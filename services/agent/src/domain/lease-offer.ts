import { gpusAtOrAbove } from './fencing-floor';
import type { FencingFloor } from './fencing-floor';

/** An offer whose signature has been checked. */
export interface LeaseOffer {
  readonly leaseId: string;
  readonly leaseToken: bigint;
  readonly nodeId: string;
  readonly jobId: string;
  readonly taskIndex: number;
  readonly gpuUuids: readonly string[];
  /** Empty: the platform's own store. */
  readonly imageReference: string;
  readonly imageDigest: string;
  readonly command: readonly string[];
  /** With the secrets: never to be logged. */
  readonly env: Readonly<Record<string, string>>;
  readonly inputs: readonly { readonly digest: string; readonly path: string }[];
  /** Below /scratch; empty: nothing is collected. */
  readonly outputPath: string;
  readonly network: boolean;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
  readonly maxRunSeconds: number;
  /** Wall time. */
  readonly answerBy: Date;
}

/** What the node knows of itself when an offer comes. */
export interface NodeView {
  readonly nodeId: string;
  readonly floor: FencingFloor;
  readonly gpuUuids: ReadonlySet<string>;
  readonly busyGpuUuids: ReadonlySet<string>;
  readonly draining: boolean;
  readonly networkAllowed: boolean;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
}

export type OfferRefusal =
  | 'WRONG_NODE'
  | 'DRAINING'
  | 'OFFER_EXPIRED'
  | 'GPU_UNKNOWN'
  | 'STALE_TOKEN'
  | 'GPU_BUSY'
  | 'NETWORK_NOT_ALLOWED'
  | 'RESOURCES_EXCEEDED'
  | 'REGISTRY_UNAVAILABLE'
  | 'OFFER_INVALID';

/** How far a node's wall clock may be off before it refuses offers that are still open; lateness itself is the scheduler's to decide. */
const CLOCK_TOLERANCE_MS = 30_000;
const MAX_RUN_SECONDS = 30 * 24 * 3_600;

/** Why this node does not take the offer; null when it does. The token is looked at before the load: a stale offer is stale on an idle node too. */
export function refusalOf(offer: LeaseOffer, node: NodeView, now: Date): OfferRefusal | null {
  if (offer.nodeId !== node.nodeId) return 'WRONG_NODE';
  if (offer.gpuUuids.length === 0 || offer.gpuUuids.some((uuid) => !node.gpuUuids.has(uuid))) return 'GPU_UNKNOWN';
  if (gpusAtOrAbove(node.floor, offer.gpuUuids, offer.leaseToken).length > 0) return 'STALE_TOKEN';
  if (node.draining) return 'DRAINING';
  if (now.getTime() > offer.answerBy.getTime() + CLOCK_TOLERANCE_MS) return 'OFFER_EXPIRED';
  if (offer.gpuUuids.some((uuid) => node.busyGpuUuids.has(uuid))) return 'GPU_BUSY';
  if (offer.network && !node.networkAllowed) return 'NETWORK_NOT_ALLOWED';
  if (offer.imageReference !== '') return 'REGISTRY_UNAVAILABLE';
  if (offer.cpuMilli > node.cpuMilli || offer.memoryMib > node.memoryMib || offer.scratchMib > node.scratchMib)
    return 'RESOURCES_EXCEEDED';
  return isSane(offer) ? null : 'OFFER_INVALID';
}

function isSane(offer: LeaseOffer): boolean {
  const positive = [offer.cpuMilli, offer.memoryMib, offer.scratchMib, offer.maxRunSeconds].every(
    (value) => Number.isSafeInteger(value) && value > 0,
  );
  return (
    positive &&
    offer.maxRunSeconds <= MAX_RUN_SECONDS &&
    Object.keys(offer.env).every((name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
  );
}
