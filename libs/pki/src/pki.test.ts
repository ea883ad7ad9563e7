import 'reflect-metadata';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { verify, webcrypto, X509Certificate } from 'node:crypto';
import { createServer, connect } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import {
  Authority,
  BadCertificateRequestError,
  createPlatformIdentity,
  ed25519PublicKey,
  issueNodeCertificate,
  nodeOfSubjectAltName,
} from './index';

const folder = mkdtempSync(join(tmpdir(), 'daya-pki-'));
const NODE_ID = '0197a0a0-0000-7000-8000-000000000009';
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const authority = () => Authority.load({ certificate: read('ca.pem'), privateKey: read('ca.key.pem') });

beforeAll(() => createPlatformIdentity(folder, ['registry', 'billing']));
afterAll(() => rmSync(folder, { recursive: true }));

async function nodeRequest(): Promise<{ der: Uint8Array; keys: webcrypto.CryptoKeyPair }> {
  const keys = (await webcrypto.subtle.generateKey({ name: 'Ed25519' }, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=whatever',
    keys,
    signingAlgorithm: { name: 'Ed25519' },
  });
  return { der: new Uint8Array(request.rawData), keys };
}

const day = { notBefore: new Date(), notAfter: new Date(Date.now() + 86_400_000) };

test('secrets are readable by their owner only, and a second run keeps every file', async () => {
  for (const name of ['ca.key.pem', 'registry.key.pem', 'registry.jwk.json'])
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  const before = read('registry.jwk.json');
  await createPlatformIdentity(folder, ['registry', 'billing']);
  expect(read('registry.jwk.json')).toBe(before);
  expect(read('jwks.json')).not.toContain('"d"');
});

test('a node proves itself to a service over mutual TLS with its own Ed25519 key', async () => {
  const { der, keys } = await nodeRequest();
  const issued = await issueNodeCertificate(await authority(), { der, nodeId: NODE_ID, generation: 3, ...day });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  const seen = await new Promise<string>((resolve, reject) => {
    const server = createServer(
      {
        ca: read('ca.pem'),
        cert: read('registry.cert.pem'),
        key: read('registry.key.pem'),
        requestCert: true,
        rejectUnauthorized: true,
      },
      (socket) => resolve(socket.getPeerCertificate().subjectaltname ?? ''),
    ).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      connect({
        port,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: read('ca.pem'),
        cert: issued.certificate,
        key,
      }).on('error', reject);
    });
    server.on('tlsClientError', reject);
    server.on('secureConnection', (socket) => {
      socket.destroy();
      server.close();
    });
  });
  expect(nodeOfSubjectAltName(seen)).toEqual({ nodeId: NODE_ID, generation: 3 });
});

test('the certified key verifies what the node signs', async () => {
  const { der, keys } = await nodeRequest();
  const { publicKey } = await issueNodeCertificate(await authority(), { der, nodeId: NODE_ID, generation: 1, ...day });
  const signature = Buffer.from(await webcrypto.subtle.sign('Ed25519', keys.privateKey, Buffer.from('tick')));
  expect(verify(null, Buffer.from('tick'), ed25519PublicKey(publicKey), signature)).toBe(true);
  expect(verify(null, Buffer.from('tock'), ed25519PublicKey(publicKey), signature)).toBe(false);
});

test('a request that is broken, or signed by another key, is refused', async () => {
  const { der } = await nodeRequest();
  const tampered = Uint8Array.from(der);
  tampered[tampered.length - 1]! ^= 1;
  for (const bad of [new Uint8Array(), Buffer.from('nonsense'), tampered]) {
    await expect(
      issueNodeCertificate(await authority(), { der: bad, nodeId: NODE_ID, generation: 1, ...day }),
    ).rejects.toThrow(BadCertificateRequestError);
  }
});

test('a service certificate names the service and chains to the authority', () => {
  const certificate = new X509Certificate(read('billing.cert.pem'));
  expect(certificate.subjectAltName).toContain('spiffe://daya/service/billing');
  expect(certificate.checkHost('billing')).toBe('billing');
  expect(certificate.verify(new X509Certificate(read('ca.pem')).publicKey)).toBe(true);
});
