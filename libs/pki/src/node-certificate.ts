import { createPublicKey, type KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Authority } from './authority';

const NODE_URI = /^spiffe:\/\/daya\/node\/([0-9a-f-]{36})\/(\d{1,9})$/;

export interface NodeCertificate {
  /** PEM. */
  readonly certificate: string;
  /** Raw Ed25519, 32 bytes: what verifies the node's ticks. */
  readonly publicKey: Uint8Array;
}

/** A certificate request that cannot be signed: not PKCS #10, not self-signed, or not an Ed25519 key. */
export class BadCertificateRequestError extends Error {}

/**
 * Signs a node's certificate request. Nothing of the request but its key counts: the subject is what the platform says.
 * Throws BadCertificateRequestError.
 */
export async function issueNodeCertificate(
  authority: Authority,
  request: {
    readonly der: Uint8Array;
    readonly nodeId: string;
    readonly generation: number;
    readonly notBefore: Date;
    readonly notAfter: Date;
  },
): Promise<NodeCertificate> {
  const parsed = await parseRequest(request.der);
  const certificate = await authority.issue({
    commonName: request.nodeId,
    uri: `spiffe://daya/node/${request.nodeId}/${request.generation}`,
    publicKey: parsed.publicKey,
    usages: ['client'],
    notBefore: request.notBefore,
    notAfter: request.notAfter,
  });
  return { certificate: certificate.toString('pem'), publicKey: rawEd25519(parsed.publicKey) };
}

async function parseRequest(der: Uint8Array): Promise<x509.Pkcs10CertificateRequest> {
  try {
    const parsed = new x509.Pkcs10CertificateRequest(Buffer.from(der));
    if (parsed.publicKey.algorithm.name !== 'Ed25519') throw new Error('the key is not Ed25519');
    if (!(await parsed.verify())) throw new Error('the signature does not fit the key');
    return parsed;
  } catch (error) {
    throw new BadCertificateRequestError(`bad certificate request: ${(error as Error).message}`);
  }
}

function rawEd25519(publicKey: x509.PublicKey): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(publicKey.rawData), format: 'der', type: 'spki' });
  return Buffer.from((key.export({ format: 'jwk' }) as { x: string }).x, 'base64url');
}

/** The verifying key of 32 raw bytes. */
export function ed25519PublicKey(raw: Uint8Array): KeyObject {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') },
    format: 'jwk',
  });
}

/** Which node and generation a certificate's subject alternative name speaks of; undefined: not a node's certificate. */
export function nodeOfSubjectAltName(subjectAltName: string): { nodeId: string; generation: number } | undefined {
  for (const part of subjectAltName.split(',')) {
    const match = NODE_URI.exec(part.trim().replace(/^URI:/, ''));
    if (match?.[1] !== undefined) return { nodeId: match[1], generation: Number(match[2]) };
  }
  return undefined;
}
