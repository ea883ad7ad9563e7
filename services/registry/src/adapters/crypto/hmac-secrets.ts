import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Secrets } from '../../application/ports';

const HASH_BYTES = 32;

/** HMAC-SHA-256 under the pepper, which lives outside the database: a stolen table alone cannot be tried offline. */
export class HmacSecrets extends Secrets {
  constructor(private readonly pepper: string) {
    super();
  }

  override random(bytes: number): Uint8Array {
    return randomBytes(bytes);
  }

  override hash(secret: string): string {
    return this.hmac(secret).toString('hex');
  }

  override matches(secret: string, hash: string | undefined): boolean {
    const expected = Buffer.alloc(HASH_BYTES);
    if (hash !== undefined) expected.write(hash, 'hex');
    const equal = timingSafeEqual(this.hmac(secret), expected);
    return equal && hash !== undefined;
  }

  override digest(bytes: Uint8Array): string {
    return createHash('sha256').update(bytes).digest('hex');
  }

  private hmac(secret: string): Buffer {
    return createHmac('sha256', this.pepper).update(secret).digest();
  }
}
