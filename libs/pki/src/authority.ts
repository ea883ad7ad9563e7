import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

type CryptoKey = webcrypto.CryptoKey;

// tsyringe, inside x509, needs the polyfill above; the provider is Node's own.
x509.cryptoProvider.set(webcrypto);

/** The platform's certificate authority: PEM, the key as PKCS #8. ECDSA P-256, since every TLS stack speaks it. */
export interface AuthorityPem {
  readonly certificate: string;
  readonly privateKey: string;
}

export const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;
/** Clocks of other machines may be this much behind. */
const BACKDATE_MS = 60_000;

const serialNumber = (): string => Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex');

export async function createAuthority(name: string, now: Date, days = 3_650): Promise<AuthorityPem> {
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: `01${serialNumber()}`,
    name: `CN=${name}`,
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
    signingAlgorithm: ECDSA,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate: certificate.toString('pem'), privateKey: await exportPrivateKey(keys.privateKey) };
}

/** Signs certificates with the authority's key. */
export class Authority {
  private constructor(
    readonly certificate: x509.X509Certificate,
    private readonly privateKey: CryptoKey,
  ) {}

  static async load(pem: AuthorityPem): Promise<Authority> {
    const der = x509.PemConverter.decodeFirst(pem.privateKey);
    const key = await webcrypto.subtle.importKey('pkcs8', der, ECDSA, false, ['sign']);
    return new Authority(new x509.X509Certificate(pem.certificate), key);
  }

  /** A certificate for `publicKey`. `uri` names the subject for programs (spiffe://…). */
  async issue(subject: {
    readonly commonName: string;
    readonly uri: string;
    readonly hosts?: readonly string[];
    readonly publicKey: CryptoKey | x509.PublicKey;
    readonly usages: readonly ('server' | 'client')[];
    readonly notBefore: Date;
    readonly notAfter: Date;
  }): Promise<x509.X509Certificate> {
    const names = [
      { type: 'url' as const, value: subject.uri },
      ...(subject.hosts ?? []).map((host) => ({ type: isIp(host) ? ('ip' as const) : ('dns' as const), value: host })),
    ];
    const oid = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth };
    return x509.X509CertificateGenerator.create({
      serialNumber: `01${serialNumber()}`,
      subject: `CN=${subject.commonName}`,
      issuer: this.certificate.subject,
      notBefore: new Date(subject.notBefore.getTime() - BACKDATE_MS),
      notAfter: subject.notAfter,
      signingKey: this.privateKey,
      signingAlgorithm: ECDSA,
      publicKey: subject.publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(subject.usages.map((usage) => oid[usage])),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.AuthorityKeyIdentifierExtension.create(this.certificate.publicKey),
      ],
    });
  }
}

const isIp = (host: string): boolean => /^[0-9.]+$/.test(host) || host.includes(':');

export async function exportPrivateKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
