import { createHmac, timingSafeEqual } from 'node:crypto';
import { DomainError, refuseInvalid } from '@daya/kernel';

const SIGNATURE_BYTES = 16;

/** A page token: the cursor (last row's keys, and a hash of the filter if it may not change) under the service's signature. */
export function encodePageToken(cursor: Readonly<Record<string, string>>, secret: string | Uint8Array): string {
  const body = Buffer.from(JSON.stringify(cursor));
  return Buffer.concat([sign(body, secret), body]).toString('base64url');
}

/** The cursor of a token made with the same secret. Throws `invalid` PAGE_TOKEN_INVALID on anything else. */
export function decodePageToken(token: string, secret: string | Uint8Array): Record<string, string> {
  const bytes = Buffer.from(token, 'base64url');
  const body = bytes.subarray(SIGNATURE_BYTES);
  const signature = bytes.subarray(0, SIGNATURE_BYTES);
  if (signature.length !== SIGNATURE_BYTES || !timingSafeEqual(signature, sign(body, secret))) {
    throw new DomainError('invalid', 'PAGE_TOKEN_INVALID', 'page_token was not issued by this service', {}, [
      {
        field: 'page_token',
        reason: 'PAGE_TOKEN_INVALID',
        description: 'pass next_page_token of the previous page unchanged',
      },
    ]);
  }
  return JSON.parse(body.toString('utf8')) as Record<string, string>;
}

/** Rows of one page: 0 means the default, more than the maximum means the maximum. Throws `invalid` when negative. */
export function pageSize(
  requested: number,
  limits: { readonly default: number; readonly max: number } = { default: 50, max: 200 },
): number {
  if (requested < 0) refuseInvalid([{ field: 'page_size', reason: 'NEGATIVE', description: 'must not be negative' }]);
  return requested === 0 ? limits.default : Math.min(requested, limits.max);
}

const sign = (body: Uint8Array, secret: string | Uint8Array): Buffer =>
  createHmac('sha256', secret).update(body).digest().subarray(0, SIGNATURE_BYTES);
