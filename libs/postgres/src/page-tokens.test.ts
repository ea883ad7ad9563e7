import { FieldChecks } from '@daya/kernel';
import * as fc from 'fast-check';
import { PageTokens } from './page-tokens';

const tokens = new PageTokens('secret');
const cursors = fc.dictionary(
  fc.string().filter((key) => key !== 'list' && key !== '__proto__'),
  fc.string({ maxLength: 20 }),
  { maxKeys: 5 },
);
const read = (pageToken: string, list = 'jobs', pageSize = 0) => tokens.read({ pageSize, pageToken }, list);
const refusal = (work: () => unknown): string[] => {
  try {
    work();
    return [];
  } catch (error) {
    const { kind, violations } = error as { kind: string; violations: { field: string; reason: string }[] };
    return [kind, ...violations.map(({ field, reason }) => `${field} ${reason}`)];
  }
};
const NOT_OURS = ['invalid', 'page_token PAGE_TOKEN_INVALID'];

test('a token gives back its cursor, for the list that it was issued for alone', () => {
  fc.assert(
    fc.property(cursors, (cursor) => {
      const token = tokens.write(cursor, 'jobs');
      fc.pre(token.length <= 1_024);
      expect(read(token).after).toEqual({ ...cursor });
      expect(refusal(() => read(token, 'jobs|other'))).toEqual(NOT_OURS);
    }),
  );
  expect(tokens.write(undefined, 'jobs')).toBe('');
  expect(read('').after).toBeUndefined();
});

test('a token that was changed, made with another secret, made up or is too long is refused', () => {
  const refused = (token: string): void => expect(refusal(() => read(token))).toEqual(NOT_OURS);
  fc.assert(fc.property(fc.string({ minLength: 1 }), refused));
  fc.assert(
    fc.property(cursors, fc.nat(), fc.integer({ min: 1, max: 255 }), (cursor, at, flip) => {
      const bytes = Buffer.from(tokens.write(cursor, 'jobs'), 'base64url');
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ flip;
      refused(bytes.toString('base64url'));
      refused(new PageTokens('another').write(cursor, 'jobs'));
    }),
  );
  refused(tokens.write({ a: 'x'.repeat(1_024) }, 'jobs'));
});

test('page sizes: 0 is the default, too many is the maximum', () => {
  const limits = { default: 20, max: 100 };
  const sizeOf = (pageSize: number): number => tokens.read({ pageSize, pageToken: '' }, 'jobs', { limits }).size;
  expect([0, 1, 100, 101, 2 ** 31 - 1].map(sizeOf)).toEqual([20, 1, 100, 100, 100]);
});

test('size, token and what the caller has found come at once', () => {
  const checks = new FieldChecks().uuid('job_id', '');
  expect(refusal(() => tokens.read({ pageSize: -1, pageToken: 'x' }, 'jobs', { checks }))).toEqual([
    'invalid',
    'job_id REQUIRED',
    'page_size OUT_OF_RANGE',
    'page_token PAGE_TOKEN_INVALID',
  ]);
});
