import { DomainError } from '@daya/kernel';

export const ENROLMENT_TOKEN_LIFE_MS = 15 * 60_000;
export const CERTIFICATE_REQUEST_BYTES_MAX = 4_096;

/** A right to enrol one node, once. Only a hash of its secret is stored. */
export interface EnrolmentToken {
  readonly tokenId: string;
  readonly prefix: string;
  readonly organisationId: string;
  readonly providerId: string;
  readonly displayName: string;
  readonly region: string;
  readonly emulated: boolean;
  readonly secretHash: string;
  readonly createTime: Date;
  readonly expireTime: Date;
  /** The node that it enrolled. */
  readonly nodeId: string | undefined;
  /** SHA-256 of that node's certificate request, hexadecimal. */
  readonly requestHash: string | undefined;
}

/** One answer for every token that is none. */
export const badToken = (): DomainError =>
  new DomainError('unauthenticated', 'ENROLMENT_TOKEN_INVALID', 'the enrolment token is not valid');

export const usedToken = (): DomainError =>
  new DomainError('precondition', 'ENROLMENT_TOKEN_USED', 'the token has enrolled a node');

/**
 * What a request with a token is: its first use; the request that used it, again, so that its answer is to be given again; or
 * somebody else's second use. Throws `precondition` ENROLMENT_TOKEN_EXPIRED for a first use that comes too late.
 */
export function useOf(token: EnrolmentToken, requestHash: string, now: Date): 'first' | 'repeat' | 'reuse' {
  if (token.requestHash === requestHash) return 'repeat';
  if (token.nodeId !== undefined) return 'reuse';
  if (token.expireTime.getTime() <= now.getTime()) {
    throw new DomainError('precondition', 'ENROLMENT_TOKEN_EXPIRED', 'the token has expired');
  }
  return 'first';
}

/** Throws `precondition` EMULATED_GPUS_NOT_ALLOWED for a node that declares its GPUs where the platform wants real ones. */
export function assertEmulationAllowed(emulated: boolean, allowed: boolean): void {
  if (!emulated || allowed) return;
  throw new DomainError(
    'precondition',
    'EMULATED_GPUS_NOT_ALLOWED',
    'this platform takes real GPUs only (ALLOW_EMULATED_GPUS)',
  );
}

/** What an agent without GPUs puts in the place of a driver's version. */
const EMULATED_DRIVER = 'EMULATED';

/** Declared GPUs are for nodes that were enrolled as emulated. Throws `precondition` NODE_NOT_EMULATED. */
export function assertHonestDriver(emulated: boolean, driverVersion: string): void {
  if (emulated || driverVersion !== EMULATED_DRIVER) return;
  throw new DomainError(
    'precondition',
    'NODE_NOT_EMULATED',
    'the node was enrolled as a real one, but declares its GPUs',
  );
}
