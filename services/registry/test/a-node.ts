import { generateKeyPairSync, randomUUID, sign, webcrypto, type KeyObject } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { Inventory } from '@daya/proto/registry';
import { as, type TestRegistry } from './harness';

/** A node's key and its certificate request. */
export async function aKey(): Promise<{ readonly privateKey: KeyObject; readonly certificateRequest: Buffer }> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const keys = {
    privateKey: await webcrypto.subtle.importKey(
      'pkcs8',
      privateKey.export({ format: 'der', type: 'pkcs8' }),
      'Ed25519',
      false,
      ['sign'],
    ),
    publicKey: await webcrypto.subtle.importKey(
      'spki',
      publicKey.export({ format: 'der', type: 'spki' }),
      'Ed25519',
      true,
      ['verify'],
    ),
  };
  const algorithm = { name: 'Ed25519' };
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    { name: 'CN=node', keys, signingAlgorithm: algorithm },
    webcrypto as never,
  );
  return { privateKey, certificateRequest: Buffer.from(request.rawData) };
}

/** What RenewNodeCertificate asks to be signed. */
export function renewalSignature(key: KeyObject, certificateRequest: Buffer, generation: number): Buffer {
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(generation);
  return sign(null, Buffer.concat([certificateRequest, counter]), key);
}

export const anInventory = (
  gpus: readonly string[] = [`GPU-${randomUUID()}`],
  overrides: Partial<Inventory> = {},
): Inventory => ({
  gpus: gpus.map((uuid, index) => ({ index, uuid, serial: '', gpuModelId: 'rtx-4090', vramMib: 24_576 })),
  cpuMilli: 8_000,
  memoryMib: 16_384,
  scratchMib: 20_480,
  networkMbps: 500,
  driverVersion: 'EMULATED',
  agentVersion: '0.1.0',
  containerDriver: 'runc',
  networkAllowed: false,
  ...overrides,
});

export async function aToken(
  registry: TestRegistry,
  owner: Parameters<typeof as>[0],
  providerId: string,
): Promise<string> {
  const client = registry.providers();
  const request = { requestId: randomUUID(), providerId, displayName: 'node', region: 'eu-central', emulated: true };
  const { token } = await client.createEnrolmentToken(request, as(owner));
  return token;
}

/** An enrolled node of a new provider, or of the given one. */
export async function anEnrolledNode(registry: TestRegistry, given?: Awaited<ReturnType<TestRegistry['aProvider']>>) {
  const provider = given ?? (await registry.aProvider());
  const token = await aToken(registry, provider.owner, provider.providerId);
  const key = await aKey();
  const dispatch = registry.providers('dispatch');
  const enrolled = await dispatch.enrolNode({ token, certificateRequest: key.certificateRequest });
  return { ...provider, ...key, ...enrolled, token };
}
