import { createPrivateKey, sign, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The scheduler's identity key: signs lease offers, so that neither dispatch nor Redis can forge work. */
export class SchedulerKey {
  private readonly key: KeyObject;

  /** Throws when the file is missing or holds no private Ed25519 JWK. */
  constructor(keyFile: string) {
    this.key = createPrivateKey({ format: 'jwk', key: JSON.parse(readFileSync(keyFile, 'utf8')) as JsonWebKey });
    if (this.key.asymmetricKeyType !== 'ed25519') throw new Error(`${keyFile} holds no Ed25519 key`);
  }

  sign(bytes: Uint8Array): Buffer {
    return sign(null, bytes, this.key);
  }
}
