const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PREFIX_BYTES = 8;
const PREFIX_LENGTH = 11;
export const SECRET_BYTES = 32;
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const CRC32_POLYNOMIAL = 0xedb88320;
export const RANDOM_BYTES = PREFIX_BYTES + SECRET_BYTES;

/** `daya` starts an API key, `dayaenrol` a token that enrols a node. */
export type SecretKind = 'daya' | 'dayaenrol';

export interface SecretToken {
  readonly kind: SecretKind;
  /** Public: what a key is found and recognised by. */
  readonly prefix: string;
  /** 32 random bytes in base 62. */
  readonly secret: string;
}

/** Makes a token of 40 random bytes. Throws a plain Error when there are fewer. */
export function newSecretToken(kind: SecretKind, random: Uint8Array): SecretToken {
  if (random.length !== RANDOM_BYTES)
    throw new Error(`a token needs ${RANDOM_BYTES} random bytes, got ${random.length}`);
  return {
    kind,
    prefix: base62(random.subarray(0, PREFIX_BYTES), PREFIX_LENGTH),
    secret: base62(random.subarray(PREFIX_BYTES), SECRET_LENGTH),
  };
}

/** `<kind>_<prefix>_<secret>_<checksum>`; the checksum lets scanners and edges refuse what was never issued. */
export function formatSecretToken({ kind, prefix, secret }: SecretToken): string {
  const body = `${kind}_${prefix}_${secret}`;
  return `${body}_${checksumOf(body)}`;
}

/** The parts of a token whose form and checksum hold, else undefined. Says nothing about whether it was issued. */
export function parseSecretToken(kind: SecretKind, text: string): SecretToken | undefined {
  const [start, prefix, secret, checksum, ...rest] = text.split('_');
  if (start !== kind || rest.length > 0 || prefix === undefined || secret === undefined) return undefined;
  if (!isBase62(prefix, PREFIX_LENGTH) || !isBase62(secret, SECRET_LENGTH)) return undefined;
  return checksum === checksumOf(`${kind}_${prefix}_${secret}`) ? { kind, prefix, secret } : undefined;
}

const isBase62 = (text: string, length: number): boolean =>
  text.length === length && [...text].every((digit) => ALPHABET.includes(digit));

/** Big-endian, padded to a fixed length, so that every byte string has exactly one text. */
function base62(bytes: Uint8Array, length: number): string {
  let value = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let digits = '';
  for (let index = 0; index < length; index += 1) {
    digits = (ALPHABET[Number(value % 62n)] ?? '') + digits;
    value /= 62n;
  }
  return digits;
}

function checksumOf(text: string): string {
  const crc = crc32(text);
  return base62(Uint8Array.of(crc >>> 24, crc >>> 16, crc >>> 8, crc), CHECKSUM_LENGTH);
}

/** CRC-32 of ASCII text: it finds every typing error of one character, and is no secret. */
function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let index = 0; index < text.length; index += 1) {
    crc ^= text.charCodeAt(index);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? CRC32_POLYNOMIAL : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
