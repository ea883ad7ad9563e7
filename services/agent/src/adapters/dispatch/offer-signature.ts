import { createPublicKey, verify } from 'node:crypto';
import type { VerifyOffer } from './proto';

/** Checks offers against the scheduler's raw Ed25519 key (base64). Throws when the key itself is malformed. */
export function offerVerifier(schedulerPublicKey: string): VerifyOffer {
  const x = Buffer.from(schedulerPublicKey, 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return (offer, signature) => verify(null, offer, key, signature);
}
