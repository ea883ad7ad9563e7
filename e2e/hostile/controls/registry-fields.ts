import { both, free, map, optionalText, shaped, text, type Rule } from '../rules';
import type { Rules } from '../mutations';

/** A name of 1 to 100 characters that is not blank. */
export const displayName = (): Rule =>
  both(text(100), shaped([' ', '   ', '\u00a0', ' '.repeat(99)], { required: false }));
const BAD_SLUGS = [
  'A',
  'a_b',
  '-a',
  'a-',
  'a--b',
  'a b',
  'ä',
  'a/b',
  '\0',
  'a\n',
  'a'.repeat(65),
  'a'.repeat(5_000),
  '*',
  "' OR 1=1",
  '日本',
];
export const slug = (): Rule => shaped(BAD_SLUGS);
export const optionalSlug = (): Rule => shaped(BAD_SLUGS, { required: false });
const BAD_LABELS = ['A', '-a', 'a b', '1a', '', 'ä', 'a'.repeat(64), 'a\0', '\n', '_a'];
export const labels = (field: string): Rules => ({
  [field]: map(BAD_LABELS, 32),
  [`${field}.value`]: optionalText(128),
});
const output = free('the server’s own; the mask cannot name it');

/** Fields that the server sets and does not read. */
export const outputs = (message: string, fields: readonly string[]): Rules =>
  Object.fromEntries(fields.map((field) => [`${message}.${field}`, output]));
export const page = { pageSize: 10, pageToken: '' } as const;
