import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const ED25519 = { name: 'Ed25519' };
const HOUR_MS = 3_600_000;

/** A certificate authority for one test. */
export class Authority {
  private serial = 1;

  private constructor(
    private readonly keys: webcrypto.CryptoKeyPair,
    private readonly certificate: x509.X509Certificate,
  ) {}

  static async create(): Promise<Authority> {
    x509.cryptoProvider.set(webcrypto);
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: 'CN=test authority',
      keys,
      signingAlgorithm: ED25519,
      ...validity(HOUR_MS),
      extensions: [
        new x509.BasicConstraintsExtension(true, 1, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    });
    return new Authority(keys, certificate);
  }

  get pem(): string {
    return this.certificate.toString('pem');
  }

  async serverCredentials(name: string): Promise<{ certificate: string; key: string }> {
    const keys = await newKeys();
    const certificate = await this.issue(`CN=${name}`, keys.publicKey, HOUR_MS, [
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
    ]);
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    return { certificate, key: `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n` };
  }

  /** Answers a PKCS #10 request as the platform does: its own subject, the requester's key. Throws on a bad signature. */
  async issueFor(request: Uint8Array, nodeId: string, lifeMs: number): Promise<string> {
    const parsed = new x509.Pkcs10CertificateRequest(request);
    if (!(await parsed.verify())) throw new Error('the request is not signed by its key');
    const publicKey = await parsed.publicKey.export(ED25519, ['verify']);
    return this.issue(`CN=${nodeId}`, publicKey, lifeMs, []);
  }

  private async issue(
    subject: string,
    publicKey: webcrypto.CryptoKey,
    lifeMs: number,
    extensions: x509.Extension[],
  ): Promise<string> {
    this.serial += 1;
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: this.serial.toString(16).padStart(2, '0'),
      subject,
      issuer: this.certificate.subject,
      publicKey,
      signingKey: this.keys.privateKey,
      signingAlgorithm: ED25519,
      extensions,
      ...validity(lifeMs),
    });
    return certificate.toString('pem');
  }
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ED25519, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

function validity(lifeMs: number): { notBefore: Date; notAfter: Date } {
  const nowMs = Date.now();
  return { notBefore: new Date(nowMs - 1_000), notAfter: new Date(nowMs + lifeMs) };
}
