import { DomainError, type Role } from '@daya/kernel';
import type { Fields } from './fields';

/** All that a key can be allowed besides its role: what the authz options of the protos name (a test compares them). */
export const SCOPES = [
  'billing:read',
  'billing:write',
  'catalogue:write',
  'jobs:read',
  'jobs:write',
  'keys:read',
  'keys:write',
  'nodes:read',
  'nodes:write',
  'organisation:read',
  'organisation:write',
  'rewards:read',
] as const;

const DAY_MS = 86_400_000;
/** A year and the leap day. */
export const KEY_LIFE_MAX_MS = 366 * DAY_MS;

export interface ApiKey {
  readonly keyId: string;
  readonly organisationId: string;
  readonly displayName: string;
  readonly prefix: string;
  readonly role: Role;
  readonly scopes: readonly string[];
  readonly createTime: Date;
  readonly expireTime: Date;
  readonly revokeTime: Date | undefined;
}

/** What is stored: a keyed hash stands for the secret. */
export interface StoredApiKey extends ApiKey {
  /** HMAC-SHA-256 of the secret under the pepper, hexadecimal. */
  readonly secretHash: string;
}

export function checkScopes(fields: Fields, scopes: readonly string[]): void {
  if (scopes.length > SCOPES.length) fields.add('scopes', 'TOO_MANY', `there are ${SCOPES.length} scopes`);
  for (const [index, scope] of scopes.slice(0, SCOPES.length).entries()) {
    const known = SCOPES.some((one) => one === scope);
    fields.require(known, `scopes[${index}]`, 'UNKNOWN_VALUE', `must be one of ${SCOPES.join(', ')}`);
    fields.require(scopes.indexOf(scope) === index, `scopes[${index}]`, 'DUPLICATE', 'is named twice');
  }
}

/** Unset means a year from now. */
export function checkExpireTime(fields: Fields, expireTime: Date | undefined, now: Date): Date {
  if (expireTime === undefined) return new Date(now.getTime() + KEY_LIFE_MAX_MS);
  const ms = expireTime.getTime() - now.getTime();
  if (Number.isNaN(ms)) fields.add('expire_time', 'MALFORMED', 'is not a time');
  else
    fields.require(
      ms > 0 && ms <= KEY_LIFE_MAX_MS,
      'expire_time',
      'OUT_OF_RANGE',
      'must be in the future, at most one year ahead',
    );
  return expireTime;
}

/** A key never allows more than the one that makes it. Throws `denied` SCOPE_ABOVE_OWN. */
export function assertScopesWithin(own: readonly string[], wanted: readonly string[]): void {
  const above = wanted.find((scope) => !own.includes(scope));
  if (above === undefined) return;
  throw new DomainError('denied', 'SCOPE_ABOVE_OWN', 'your own key lacks the scope', { scope: above });
}

/** Throws `unauthenticated` API_KEY_REVOKED or API_KEY_EXPIRED. */
export function assertUsable(key: ApiKey, now: Date): void {
  if (key.revokeTime !== undefined) throw unusable('API_KEY_REVOKED', 'the key was revoked');
  if (key.expireTime.getTime() <= now.getTime()) throw unusable('API_KEY_EXPIRED', 'the key has expired');
}

/** One answer for every key that is none: badly formed, unknown, or with a wrong secret. */
export const badKey = (): DomainError => unusable('API_KEY_INVALID', 'the key is not valid');

const unusable = (reason: string, message: string): DomainError => new DomainError('unauthenticated', reason, message);

/** The key as it may be shown. */
export function shown({ secretHash: _hash, ...key }: StoredApiKey): ApiKey {
  return key;
}
