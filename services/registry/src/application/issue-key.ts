import type { Role } from '@daya/kernel';
import type { StoredApiKey } from '../domain/api-key';
import { formatSecretToken, newSecretToken, RANDOM_BYTES } from '../domain/secret-token';
import type { Secrets } from './ports';

export interface WantedKey {
  readonly organisationId: string;
  readonly displayName: string;
  readonly role: Role;
  readonly scopes: readonly string[];
  readonly expireTime: Date;
}

/** A new key: what to store, and the text to show once. */
export function issueKey(
  secrets: Secrets,
  keyId: string,
  wanted: WantedKey,
  createTime: Date,
): { stored: StoredApiKey; secret: string } {
  const token = newSecretToken('daya', secrets.random(RANDOM_BYTES));
  const secretHash = secrets.hash(token.secret);
  const stored = { ...wanted, keyId, prefix: token.prefix, secretHash, createTime, revokeTime: undefined };
  return { stored, secret: formatSecretToken(token) };
}
