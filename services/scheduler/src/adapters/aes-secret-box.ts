import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { SecretBox, type SealedSecrets } from '../application/ports';
import type { Secret } from '../domain/job-spec';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** AES-256-GCM bound to the organisation: nonce, tag, ciphertext. Throws when bytes were changed or are another's. */
export class AesSecretBox extends SecretBox {
  private readonly cipherKey: Buffer;
  private readonly digestKey: Buffer;

  /** `masterKey`: 64 hexadecimal digits; encryption and digests each use a key derived from it. */
  constructor(masterKey: string) {
    super();
    const derive = (purpose: string): Buffer =>
      Buffer.from(hkdfSync('sha256', Buffer.from(masterKey, 'hex'), '', `daya.scheduler ${purpose}`, KEY_BYTES));
    this.cipherKey = derive('secrets');
    this.digestKey = derive('digests');
  }

  override seal(organisationId: string, secrets: readonly Secret[]): SealedSecrets {
    if (secrets.length === 0) return undefined;
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.cipherKey, nonce).setAAD(Buffer.from(organisationId));
    const sealed = Buffer.concat([cipher.update(textOf(secrets), 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  override open(organisationId: string, sealed: SealedSecrets): readonly Secret[] {
    if (sealed === undefined) return [];
    const bytes = Buffer.from(sealed);
    const decipher = createDecipheriv(CIPHER, this.cipherKey, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(organisationId)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    return JSON.parse(text.toString('utf8')) as Secret[];
  }

  override digest(secrets: readonly Secret[]): string {
    return createHmac('sha256', this.digestKey).update(textOf(secrets)).digest('hex');
  }
}

const textOf = (secrets: readonly Secret[]): string =>
  JSON.stringify(secrets.map(({ name, value }) => ({ name, value })));
