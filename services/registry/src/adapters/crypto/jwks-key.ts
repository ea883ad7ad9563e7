import { readFileSync } from 'node:fs';
import { z } from 'zod';

const jwks = z.object({ keys: z.array(z.looseObject({ kid: z.string(), x: z.string() })) });

/** The raw Ed25519 public key (32 bytes) of a service in the platform's JWKS file. Throws when there is none. */
export function publicKeyOf(jwksFile: string, service: string): Uint8Array {
  const { keys } = jwks.parse(JSON.parse(readFileSync(jwksFile, 'utf8')));
  const key = keys.find(({ kid }) => kid === service);
  const raw = Buffer.from(key?.x ?? '', 'base64url');
  if (raw.length !== 32) throw new Error(`${jwksFile} has no Ed25519 key of ${service}`);
  return raw;
}
