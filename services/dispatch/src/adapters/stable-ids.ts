import { createHash } from 'node:crypto';
import { StableIds } from '../application/ports';

/** RFC 9562 version 8: the first 122 bits of a SHA-256 over the parts with their lengths. */
export class HashedIds extends StableIds {
  override of(...parts: readonly (string | Uint8Array)[]): string {
    const hash = createHash('sha256');
    for (const part of parts) {
      const bytes = typeof part === 'string' ? Buffer.from(part) : part;
      hash.update(`${bytes.length}:`).update(bytes);
    }
    const id = hash.digest().subarray(0, 16);
    id.writeUInt8((id.readUInt8(6) & 0x0f) | 0x80, 6);
    id.writeUInt8((id.readUInt8(8) & 0x3f) | 0x80, 8);
    const hex = id.toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}
