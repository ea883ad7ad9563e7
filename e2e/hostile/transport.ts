import { connect, constants, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import type { Metadata } from '@grpc/grpc-js';

/** A call on the wire: what comes before gRPC looks at the message. */
export interface RawCall {
  readonly session: ClientHttp2Session;
  readonly path: string;
  readonly metadata: Metadata;
  readonly messages: readonly Uint8Array[];
}

export interface RawAnswer {
  /** `grpc-status`; undefined when the stream ended without one. */
  readonly code: number | undefined;
  readonly message: string;
}

interface Broken {
  readonly label: string;
  readonly headers: OutgoingHttpHeaders;
  frame(message: Uint8Array): Buffer;
}

const ANSWER_MS = 20_000;
const GOOD_TIMEOUT = '20S';

const framed = (message: Uint8Array, compressed: boolean): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

const badTimeout = (value: string): Broken => ({
  label: `grpc-timeout: ${value}`,
  headers: { 'grpc-timeout': value },
  frame: (message) => framed(message, false),
});

const badGzip = (label: string, spoil: (gzip: Buffer) => Buffer): Broken => ({
  label: `gzip: ${label}`,
  headers: { 'grpc-timeout': GOOD_TIMEOUT, 'grpc-encoding': 'gzip' },
  frame: (message) => framed(spoil(gzipSync(message)), true),
});

/** What grpc-js answers by itself, before any code of ours: the two exceptions of the design, INTERNAL. */
export const BROKEN: readonly Broken[] = [
  badTimeout('soon'),
  badTimeout('10'),
  badTimeout('S10'),
  badGzip('no gzip at all', (gzip) => Buffer.alloc(gzip.length, 0x5a)),
  badGzip('cut off', (gzip) => gzip.subarray(0, gzip.length - 6)),
  badGzip('a wrong checksum', (gzip) => {
    const spoilt = Buffer.from(gzip);
    spoilt.writeUInt8((spoilt.at(-8) ?? 0) ^ 0xff, spoilt.length - 8);
    return spoilt;
  }),
];

/** A control, with its proper headers and messages: broken only in its headers or frames. */
export function sendBroken({ session, path, metadata, messages }: RawCall, broken: Broken): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      [constants.HTTP2_HEADER_TE]: 'trailers',
      ...metadata.toHttp2Headers(),
      ...broken.headers,
    });
    let answer: RawAnswer = { code: undefined, message: 'no answer' };
    const read = (headers: Readonly<Record<string, unknown>>): void => {
      const code = headers['grpc-status'];
      if (code !== undefined) answer = { code: Number(code), message: String(headers['grpc-message'] ?? '') };
    };
    stream.on('response', read);
    stream.on('trailers', read);
    // The server may have answered and closed before all was sent.
    stream.on('error', () => undefined);
    stream.on('close', () => resolve(answer));
    stream.setTimeout(ANSWER_MS, () => stream.close(constants.NGHTTP2_CANCEL));
    stream.resume();
    for (const message of messages) stream.write(broken.frame(message));
    stream.end();
  });
}

export interface Place {
  readonly service: string;
  /** `host:port`. */
  readonly address: string;
  readonly tls: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

/** A connection of its own to a listener of a service. */
export function openSession({ service, address, tls }: Place): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connect(`https://${address}`, { ...tls, servername: service, ALPNProtocols: ['h2'] });
    session.once('connect', () => resolve(session));
    session.on('error', reject);
  });
}
