// @peculiar/x509 registers its parts with decorators and needs this first.
import 'reflect-metadata';
import { createPublicKey, webcrypto } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { cryptoProvider, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';

const ED25519 = { name: 'Ed25519' };

/**
 * A PKCS #10 request (DER) for the node's key: the same bytes for the same key and nonce. The platform decides the name
 * in the certificate, so the subject says only which request this is.
 */
export async function certificateRequest(key: KeyObject, nonce: string): Promise<Uint8Array> {
  cryptoProvider.set(webcrypto);
  const privateKey = await webcrypto.subtle.importKey(
    'pkcs8',
    key.export({ type: 'pkcs8', format: 'der' }),
    ED25519,
    false,
    ['sign'],
  );
  const publicKey = await webcrypto.subtle.importKey(
    'spki',
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    ED25519,
    true,
    ['verify'],
  );
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=daya-node ${nonce}`,
    keys: { privateKey, publicKey },
    signingAlgorithm: ED25519,
  });
  return new Uint8Array(request.rawData);
}
