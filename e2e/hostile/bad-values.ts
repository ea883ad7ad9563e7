export const INT32 = { min: -(2n ** 31n), max: 2n ** 31n - 1n } as const;
export const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n } as const;

/** Distances from a bound at which numbers are tried besides the next one. */
export const SPREAD: readonly bigint[] = [2n, 7n, 1_000n, 1_000_003n];

export const bytesOf = (length: number): Uint8Array => Buffer.alloc(length, 0x5a);

/** Texts that look like a UUID to a careless reader, and some that do not even try. */
export const UUID_LIKE: readonly string[] = [
  '0190A5F0-0000-7000-8000-00000000ABCD',
  '0190a5f000007000800000000000abcd',
  '{0190a5f0-0000-7000-8000-00000000abcd}',
  'urn:uuid:0190a5f0-0000-7000-8000-00000000abcd',
  ' 0190a5f0-0000-7000-8000-00000000abcd',
  '0190a5f0-0000-7000-8000-00000000abcd ',
  '0190a5f0-0000-7000-8000-00000000abcd\n',
  '0190a5f0-0000-7000-8000-00000000abc',
  '0190a5f0-0000-7000-8000-00000000abcde',
  '0190a5f0-0000-7000-8000-00000000abcg',
  '0190a5f0_0000_7000_8000_00000000abcd',
  '0190a5f0-0000-7000-8000-00000000ab\0d',
  '0190a5f0-0000-7000-8000-00000000ａｂｃｄ',
  'null',
  '0',
  "' OR 1=1 --",
  '../../../etc/passwd',
  '%',
  'a'.repeat(10_000),
];

/** Page tokens that no service issued. */
export const PAGE_TOKENS: readonly string[] = [
  'x',
  '0',
  'null',
  '====',
  'AAAAAAAAAAAAAAAAAAAAAA',
  'eyJpZCI6IjEifQ',
  'A'.repeat(64),
  'A'.repeat(1_023),
  'A'.repeat(1_025),
  'A'.repeat(20_000),
  '../..',
  "'; DROP TABLE request; --",
  '\u0000',
  'ünïcödé',
];

/** Texts that are no SHA-256 in lower-case hexadecimal. */
export const SHA256_LIKE: readonly string[] = [
  'a'.repeat(63),
  'a'.repeat(65),
  'A'.repeat(64),
  'g'.repeat(64),
  `sha256:${'a'.repeat(64)}`,
  `${'a'.repeat(63)} `,
  `${'a'.repeat(63)}\n`,
  `${'a'.repeat(63)}\0`,
  '../'.repeat(21).padEnd(64, 'a'),
  `${'a'.repeat(64)}\n`,
  'a'.repeat(20_000),
  '%00',
];

/** Paths that would leave the folder they are meant for, or are none. */
export const BAD_PATHS: readonly string[] = [
  '/etc/passwd',
  '../secret',
  'a/../../b',
  'a/..',
  './a',
  'a/./b',
  'a//b',
  'a/',
  '.',
  '..',
  'a\\b',
  'a\0b',
  '\0',
];
