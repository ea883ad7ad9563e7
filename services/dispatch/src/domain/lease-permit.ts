import { DomainError } from '@daya/kernel';

/** What a lease lets its node do here; learned from the scheduler's signed offer. */
export interface LeasePermit {
  readonly leaseId: string;
  readonly nodeId: string;
  readonly leaseToken: bigint;
  /** Pays, and must own every blob that the node may read. */
  readonly organisationId: string;
  /** Digest of the image's manifest in the platform's own store; undefined when the image comes from a registry. */
  readonly manifestSha256: string | undefined;
  readonly inputs: readonly string[];
  /** The node's exit report was applied. */
  readonly ended: boolean;
}

/**
 * Refuses everyone but the lease's holder. A foreign lease answers exactly like an unknown one. Throws `not-found`
 * LEASE_NOT_FOUND, `precondition` LEASE_TOKEN_STALE.
 */
export function refuseForeign(permit: LeasePermit | undefined, nodeId: string, token: bigint): LeasePermit {
  if (permit === undefined || permit.nodeId !== nodeId) {
    throw new DomainError('not-found', 'LEASE_NOT_FOUND', 'lease not found');
  }
  if (permit.leaseToken !== token)
    throw new DomainError('precondition', 'LEASE_TOKEN_STALE', 'not the token of this lease');
  return permit;
}

/** Also refuses a lease whose container has ended. Throws `precondition` LEASE_ENDED too. */
export function refuseUnheld(permit: LeasePermit | undefined, nodeId: string, token: bigint): LeasePermit {
  const held = refuseForeign(permit, nodeId, token);
  if (held.ended) throw new DomainError('precondition', 'LEASE_ENDED', 'the lease has ended');
  return held;
}

/** Whether the offer names this blob itself; parts of the image are named by its manifest. */
export const names = (permit: LeasePermit, sha256: string): boolean =>
  permit.manifestSha256 === sha256 || permit.inputs.includes(sha256);
