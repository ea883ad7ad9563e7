import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const FORM = /^daya_[0-9A-Za-z]{11}_[0-9A-Za-z]{43}_([0-9A-Za-z]{6})$/;
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const CHECKSUM_LENGTH = 6;

/** Whether a text can be a key at all: its form and checksum. What was mistyped or made up costs no look-up. */
export function looksLikeApiKey(text: string): boolean {
  const checksum = FORM.exec(text)?.[1];
  return checksum !== undefined && checksum === checksumOf(text.slice(0, text.lastIndexOf('_')));
}

/** CRC-32 in base 62, as registry writes it. */
export function checksumOf(body: string): string {
  let value = crc32(body);
  let digits = '';
  for (let index = 0; index < CHECKSUM_LENGTH; index += 1) {
    digits = (ALPHABET[value % ALPHABET.length] ?? '') + digits;
    value = Math.floor(value / ALPHABET.length);
  }
  return digits;
}

/** What caches keep instead of the key. */
export const fingerprintOf = (secret: string): string => createHash('sha256').update(secret).digest('base64');
