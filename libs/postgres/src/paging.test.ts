import * as fc from 'fast-check';
import { decodePageToken, encodePageToken, pageSize } from './paging';

const cursors = fc.dictionary(fc.string(), fc.string());

test('a token gives back its cursor to who holds the secret', () => {
  fc.assert(
    fc.property(cursors, fc.string({ minLength: 1 }), (cursor, secret) => {
      expect(decodePageToken(encodePageToken(cursor, secret), secret)).toEqual(JSON.parse(JSON.stringify(cursor)));
    }),
  );
});

test('a token that was changed, made with another secret or made up is refused', () => {
  const refused = (token: string): void => {
    expect(() => decodePageToken(token, 'secret')).toThrow(
      expect.objectContaining({ kind: 'invalid', reason: 'PAGE_TOKEN_INVALID' }),
    );
  };
  fc.assert(fc.property(fc.string(), refused));
  fc.assert(
    fc.property(cursors, fc.nat(), fc.integer({ min: 1, max: 255 }), (cursor, at, flip) => {
      const bytes = Buffer.from(encodePageToken(cursor, 'secret'), 'base64url');
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ flip;
      refused(bytes.toString('base64url'));
      refused(encodePageToken(cursor, 'another'));
    }),
  );
});

test('page sizes: 0 is the default, too many is the maximum, negative is an invalid field', () => {
  const limits = { default: 20, max: 100 };
  expect([0, 1, 100, 101, 2 ** 31 - 1].map((size) => pageSize(size, limits))).toEqual([20, 1, 100, 100, 100]);
  expect(() => pageSize(-1, limits)).toThrow(
    expect.objectContaining({ kind: 'invalid', violations: [expect.objectContaining({ field: 'page_size' })] }),
  );
});
