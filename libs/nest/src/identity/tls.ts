import type { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';

/** PEM bytes. */
export interface TlsFiles {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

const NODE_URI = /^URI:spiffe:\/\/daya\/node\/([0-9a-f-]{36})\/(\d{1,9})$/;

/** Reads ca.pem, <service>.cert.pem and <service>.key.pem. Throws when one is missing. */
export function loadTls(folder: string, service: string): TlsFiles {
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  return { ca: read('ca.pem'), cert: read(`${service}.cert.pem`), key: read(`${service}.key.pem`) };
}

/** `clientCertificates`: true refuses the handshake of everyone whose certificate `ca` did not sign. */
export function serverCredentials(tls: TlsFiles, clientCertificates: boolean): ServerCredentials {
  return ServerCredentials.createSsl(tls.ca, [{ private_key: tls.key, cert_chain: tls.cert }], clientCertificates);
}

/** Trusts `ca` only; shows a client certificate when `cert` and `key` are given (agents). */
export function channelCredentials(tls: {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}): ChannelCredentials {
  return ChannelCredentials.createSsl(tls.ca, tls.key ?? null, tls.cert ?? null);
}

export interface NodeIdentity {
  readonly nodeId: string;
  /** Counts the renewals of this node's certificate. */
  readonly generation: number;
  /** Upper-case hex, as node:crypto prints it. */
  readonly serial: string;
}

/** The node that a verified client certificate names (spiffe://daya/node/<id>/<generation>); undefined when it names none. */
export function nodeIdentityOf(certificate: X509Certificate): NodeIdentity | undefined {
  for (const name of (certificate.subjectAltName ?? '').split(', ')) {
    const match = NODE_URI.exec(name);
    if (match?.[1] !== undefined)
      return { nodeId: match[1], generation: Number(match[2]), serial: certificate.serialNumber };
  }
  return undefined;
}
