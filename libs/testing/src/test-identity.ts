import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority, createPlatformIdentity, issueNodeCertificate } from '@daya/pki';
import * as x509 from '@peculiar/x509';

const LIFE_MS = 86_400_000;

export interface TestNode {
  /** For a client of the agents' listener: `tls: { ca, cert, key }`. */
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  /** Raw Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Signs as the node would (ticks). */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

export interface TestIdentity {
  /** ca.pem, ca.key.pem, <service>.cert.pem, <service>.key.pem, <service>.jwk.json, jwks.json. */
  readonly folder: string;
  readonly ca: Buffer;
  /** TLS_FOLDER, IDENTITY_KEY_FILE and JWKS_FILE of a service. Throws for one that was not named. */
  env(service: string): { readonly TLS_FOLDER: string; readonly IDENTITY_KEY_FILE: string; readonly JWKS_FILE: string };
  /** A node's key and the client certificate that enrolment would give it; generation 1 when absent. */
  node(nodeId: string, generation?: number): Promise<TestNode>;
  remove(): void;
}

/** One CA, a TLS pair and an Ed25519 identity key per service, as files in a folder of its own. */
export async function testIdentity(services: readonly string[]): Promise<TestIdentity> {
  const folder = mkdtempSync(join(tmpdir(), 'daya-identity-'));
  await createPlatformIdentity(folder, services);
  const ca = readFileSync(join(folder, 'ca.pem'));
  const authority = await Authority.load({
    certificate: ca.toString(),
    privateKey: readFileSync(join(folder, 'ca.key.pem'), 'utf8'),
  });
  return {
    folder,
    ca,
    env: (service) => {
      if (!services.includes(service)) throw new Error(`testIdentity was not asked for ${service}`);
      return {
        TLS_FOLDER: folder,
        IDENTITY_KEY_FILE: join(folder, `${service}.jwk.json`),
        JWKS_FILE: join(folder, 'jwks.json'),
      };
    },
    node: (nodeId, generation = 1) => testNode(authority, ca, nodeId, generation),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function testNode(authority: Authority, ca: Buffer, nodeId: string, generation: number): Promise<TestNode> {
  const keys = (await webcrypto.subtle.generateKey({ name: 'Ed25519' }, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${nodeId}`,
    keys,
    signingAlgorithm: { name: 'Ed25519' },
  });
  const now = Date.now();
  const { certificate, publicKey } = await issueNodeCertificate(authority, {
    der: new Uint8Array(request.rawData),
    nodeId,
    generation,
    notBefore: new Date(now - 300_000),
    notAfter: new Date(now + LIFE_MS),
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return {
    tls: { ca, cert: Buffer.from(certificate), key: Buffer.from(key) },
    publicKey,
    sign: async (bytes) => new Uint8Array(await webcrypto.subtle.sign('Ed25519', keys.privateKey, Buffer.from(bytes))),
  };
}
