import { createHmac, timingSafeEqual } from 'node:crypto';

const SIGNATURE_BYTES = 16;
const TOKEN_LENGTH_MAX = 1_024;

/** Strings that name a row of an ordered list. */
export type Cursor = Readonly<Record<string, string>>;

/** A page token: a cursor under the service's signature. */
export function encodePageToken(cursor: Cursor, secret: string | Uint8Array): string {
  const body = Buffer.from(JSON.stringify(cursor));
  return Buffer.concat([sign(body, secret), body]).toString('base64url');
}

/** The cursor of a token made with the same secret; undefined for anything else. */
export function decodePageToken(token: string, secret: string | Uint8Array): Cursor | undefined {
  if (token.length > TOKEN_LENGTH_MAX) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  const body = bytes.subarray(SIGNATURE_BYTES);
  const signature = bytes.subarray(0, SIGNATURE_BYTES);
  const genuine = signature.length === SIGNATURE_BYTES && timingSafeEqual(signature, sign(body, secret));
  return genuine ? (JSON.parse(body.toString('utf8')) as Cursor) : undefined;
}

const sign = (body: Uint8Array, secret: string | Uint8Array): Buffer =>
  createHmac('sha256', secret).update(body).digest().subarray(0, SIGNATURE_BYTES);
