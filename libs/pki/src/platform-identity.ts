import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { join } from 'node:path';
import { Authority, createAuthority, ECDSA, exportPrivateKey, type AuthorityPem } from './authority';

const CERTIFICATE_DAYS = 365;
const DAY_MS = 86_400_000;

/**
 * Makes what a platform is set up with: one authority (ca.pem, ca.key.pem) and, per service, a TLS certificate
 * (<service>.cert.pem, <service>.key.pem) and an Ed25519 identity (<service>.jwk.json), whose public halves stand in
 * jwks.json (kid = service). Keys are readable by their owner only. Existing files are kept, so it can run again.
 */
export async function createPlatformIdentity(
  folder: string,
  services: readonly string[],
  hosts: readonly string[] = ['localhost', '127.0.0.1'],
): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const authority = await Authority.load(await authorityIn(folder));
  for (const service of services) {
    if (!existsSync(join(folder, `${service}.cert.pem`))) await writeTls(folder, authority, service, hosts);
    if (!existsSync(join(folder, `${service}.jwk.json`))) writeIdentity(folder, service);
  }
  const keys = services.map((service) =>
    publicHalf(JSON.parse(readFileSync(join(folder, `${service}.jwk.json`), 'utf8'))),
  );
  writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys }));
}

async function authorityIn(folder: string): Promise<AuthorityPem> {
  const [certificate, privateKey] = [join(folder, 'ca.pem'), join(folder, 'ca.key.pem')];
  if (existsSync(privateKey)) {
    return { certificate: readFileSync(certificate, 'utf8'), privateKey: readFileSync(privateKey, 'utf8') };
  }
  const made = await createAuthority('Daya platform', new Date());
  writeSecret(privateKey, made.privateKey);
  writeFileSync(certificate, made.certificate);
  return made;
}

async function writeTls(
  folder: string,
  authority: Authority,
  service: string,
  hosts: readonly string[],
): Promise<void> {
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const now = new Date();
  const certificate = await authority.issue({
    commonName: service,
    uri: `spiffe://daya/service/${service}`,
    hosts: [service, ...hosts],
    publicKey: keys.publicKey,
    usages: ['server', 'client'],
    notBefore: now,
    notAfter: new Date(now.getTime() + CERTIFICATE_DAYS * DAY_MS),
  });
  writeSecret(join(folder, `${service}.key.pem`), await exportPrivateKey(keys.privateKey));
  writeFileSync(join(folder, `${service}.cert.pem`), certificate.toString('pem'));
}

function writeIdentity(folder: string, service: string): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  writeSecret(
    join(folder, `${service}.jwk.json`),
    JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid: service, alg: 'EdDSA' }),
  );
}

function publicHalf({ d: _secret, ...rest }: Record<string, string>): Record<string, string> {
  return rest;
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
}
