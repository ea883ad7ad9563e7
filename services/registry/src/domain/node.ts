import { DomainError } from '@daya/kernel';
import { sameGpus, sameInventory, type Inventory } from './inventory';
import { changed } from './organisation';

export const CONNECTIVITIES = ['online', 'suspect', 'lost'] as const;
export type Connectivity = (typeof CONNECTIVITIES)[number];

/** Why the owner keeps new work away; `none`: the owner does not. */
export const OWNER_REASONS = ['none', 'draining', 'maintenance'] as const;
export type OwnerReason = (typeof OWNER_REASONS)[number];

export type UnschedulableReason = 'not-admitted' | 'draining' | 'maintenance' | 'revoked' | 'gpu-bound-elsewhere';
export type AdmissionState = 'pending' | 'admitted' | 'refused';
export type TrustTier = 'unverified' | 'probation' | 'verified' | 'attested';

/** One machine with an agent. */
export interface Node {
  readonly nodeId: string;
  readonly providerId: string;
  readonly organisationId: string;
  readonly displayName: string;
  readonly region: string;
  /** The GPUs are declared, not real. */
  readonly emulated: boolean;
  readonly inventory: Inventory | undefined;
  /** Counts what has to be admitted anew. */
  readonly inventoryGeneration: number;
  readonly connectivity: Connectivity | undefined;
  readonly connectivityTime: Date | undefined;
  readonly ownerReason: OwnerReason;
  readonly gpuConflict: boolean;
  readonly admissionState: AdmissionState;
  readonly admissionReason: string;
  /** When admission was decided. */
  readonly admissionTime: Date | undefined;
  /** The job that decides the admission of this inventory. */
  readonly canaryJobId: string | undefined;
  /** When the canary is to be submitted, or asked after; unset: never. */
  readonly canaryDueTime: Date | undefined;
  /** Times that the canary could not be submitted. */
  readonly canaryAttempts: number;
  readonly trustTier: TrustTier;
  readonly certificateGeneration: number;
  readonly certificateExpireTime: Date;
  readonly revokeTime: Date | undefined;
  readonly revokeReason: string;
  readonly createTime: Date;
  readonly version: bigint;
}

/** The legal moves of admission; a changed machine starts over. */
export const ADMISSION_MOVES: Readonly<Record<AdmissionState, readonly AdmissionState[]>> = {
  pending: ['admitted', 'refused'],
  admitted: ['pending'],
  refused: ['pending'],
};

/** Why a node takes no new work; undefined when it does. */
export function unschedulableReason(node: Node): UnschedulableReason | undefined {
  if (node.revokeTime !== undefined) return 'revoked';
  if (node.gpuConflict) return 'gpu-bound-elsewhere';
  if (node.admissionState !== 'admitted') return 'not-admitted';
  return node.ownerReason === 'none' ? undefined : node.ownerReason;
}

/** Throws `precondition` NODE_REVOKED. */
export function assertNotRevoked(node: Node): void {
  if (node.revokeTime === undefined) return;
  throw new DomainError('precondition', 'NODE_REVOKED', 'the node was revoked', { node_id: node.nodeId });
}

function moveAdmission(node: Node, next: AdmissionState): void {
  if (ADMISSION_MOVES[node.admissionState].includes(next)) return;
  throw new Error(`node ${node.nodeId} cannot go from ${node.admissionState} to ${next}`);
}

/**
 * Takes over what the agent reports. Other GPUs, or a refused node's report after `retryMs`, ask for a new canary. Returns
 * the same node when nothing changed.
 */
export function reportInventory(node: Node, inventory: Inventory, now: Date, retryMs: number): Node {
  const again = node.admissionState === 'refused' && now.getTime() >= (node.admissionTime?.getTime() ?? 0) + retryMs;
  if (!sameGpus(node.inventory, inventory) || again)
    return awaitAdmission(changed(node, { inventory, gpuConflict: false }), now);
  if (sameInventory(node.inventory, inventory) && !node.gpuConflict) return node;
  return changed(node, { inventory, gpuConflict: false });
}

function awaitAdmission(node: Node, now: Date): Node {
  if (node.admissionState !== 'pending') moveAdmission(node, 'pending');
  return {
    ...node,
    inventoryGeneration: node.inventoryGeneration + 1,
    admissionState: 'pending',
    admissionReason: '',
    admissionTime: undefined,
    trustTier: 'unverified',
    canaryJobId: undefined,
    canaryDueTime: now,
    canaryAttempts: 0,
  };
}

export type AdmissionDecision = { readonly admitted: true } | { readonly admitted: false; readonly reason: string };

/** Ends the waiting. A node that does not wait, or was revoked meanwhile, stays as it is. */
export function decideAdmission(node: Node, decision: AdmissionDecision, now: Date): Node {
  if (node.admissionState !== 'pending' || node.revokeTime !== undefined) return node;
  const next = decision.admitted ? 'admitted' : 'refused';
  moveAdmission(node, next);
  return changed(node, {
    admissionState: next,
    admissionReason: decision.admitted ? '' : decision.reason,
    admissionTime: now,
    trustTier: decision.admitted ? 'probation' : 'unverified',
    canaryDueTime: undefined,
  });
}

/** Older news than what is known changes nothing; the same word again does not either. */
export function hearOf(node: Node, connectivity: Connectivity, since: Date): Node {
  const stale = node.connectivityTime !== undefined && since.getTime() < node.connectivityTime.getTime();
  if (stale || node.revokeTime !== undefined || node.connectivity === connectivity) return node;
  return changed(node, { connectivity, connectivityTime: since });
}

/** Nothing that the node signs counts any more. Twice is once. */
export function revoke(node: Node, reason: string, now: Date): Node {
  if (node.revokeTime !== undefined) return node;
  return changed(node, { revokeTime: now, revokeReason: reason, canaryDueTime: undefined });
}

/** The retry key of a node's canary: one per state of its machine. */
export const canaryRequestId = (node: Node): string => `canary-${node.nodeId}-${node.inventoryGeneration}`;
