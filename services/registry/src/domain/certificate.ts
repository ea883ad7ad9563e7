import { DomainError } from '@daya/kernel';

const HOUR_MS = 3_600_000;
export const CERTIFICATE_LIFE_MS = 24 * HOUR_MS;
/** A machine that slept longer than this enrols again. */
export const RENEWAL_GRACE_MS = 30 * 24 * HOUR_MS;
/** After a renewal the older certificate is good for as long as an agent needs to change its streams. */
export const HANDOVER_MS = 5 * 60_000;

/** Names one certificate: a node has one per generation. */
export interface CertificateId {
  readonly nodeId: string;
  readonly generation: number;
}

/** One generation of a node's certificate. */
export interface NodeCertificate extends CertificateId {
  /** Raw Ed25519, 32 bytes, hexadecimal. */
  readonly publicKey: string;
  /** PEM. */
  readonly certificateChain: string;
  /** SHA-256 of the certificate request, hexadecimal: tells a retry from a second user. */
  readonly requestHash: string;
  readonly issueTime: Date;
  readonly expireTime: Date;
}

export type Renewal =
  | { readonly kind: 'issue' }
  /** The answer was lost on its way: give it again. */
  | { readonly kind: 'repeat'; readonly certificate: NodeCertificate }
  /** Two hold a key of this generation; which of them is the owner nobody knows. */
  | { readonly kind: 'reused' };

/**
 * What a renewal of `generation` means, its signature already verified. `successor` is the certificate that was issued for
 * this generation before, when there is one. A repetition is the same request, byte for byte: it gives nothing to anyone
 * who does not hold the key that the request names. Throws `precondition` CERTIFICATE_TOO_OLD.
 */
export function decideRenewal(
  renewed: NodeCertificate,
  successor: NodeCertificate | undefined,
  requestHash: string,
  now: Date,
): Renewal {
  if (successor !== undefined) {
    return successor.requestHash === requestHash ? { kind: 'repeat', certificate: successor } : { kind: 'reused' };
  }
  if (now.getTime() > renewed.expireTime.getTime() + RENEWAL_GRACE_MS) {
    throw new DomainError(
      'precondition',
      'CERTIFICATE_TOO_OLD',
      'the certificate expired too long ago: enrol the node again',
    );
  }
  return { kind: 'issue' };
}

/** Whether a certificate still speaks for its node: the newest, or the one before it for a short while. */
export function isCurrent(certificate: NodeCertificate, successor: NodeCertificate | undefined, now: Date): boolean {
  if (now.getTime() >= certificate.expireTime.getTime()) return false;
  return successor === undefined || now.getTime() < successor.issueTime.getTime() + HANDOVER_MS;
}

/** What the current key signs to renew: the request, then the generation in 4 bytes, big endian. */
export function renewalMessage(certificateRequest: Uint8Array, generation: number): Uint8Array {
  const message = new Uint8Array(certificateRequest.length + 4);
  message.set(certificateRequest);
  new DataView(message.buffer).setUint32(certificateRequest.length, generation);
  return message;
}
