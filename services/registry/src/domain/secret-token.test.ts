import * as fc from 'fast-check';
import { formatSecretToken, newSecretToken, parseSecretToken, RANDOM_BYTES } from './secret-token';

const random = fc.uint8Array({ minLength: RANDOM_BYTES, maxLength: RANDOM_BYTES });
const kind = fc.constantFrom('daya' as const, 'dayaenrol' as const);

test('what is formatted is parsed again, under its own kind only', () => {
  fc.assert(
    fc.property(random, kind, (bytes, of) => {
      const token = newSecretToken(of, bytes);
      const text = formatSecretToken(token);
      expect(text).toMatch(new RegExp(`^${of}_[0-9A-Za-z]{11}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$`));
      expect(parseSecretToken(of, text)).toEqual(token);
      expect(parseSecretToken(of === 'daya' ? 'dayaenrol' : 'daya', text)).toBeUndefined();
    }),
  );
});

test('different random bytes make different tokens', () => {
  fc.assert(
    fc.property(random, random, (left, right) => {
      const same = Buffer.from(left).equals(Buffer.from(right));
      expect(formatSecretToken(newSecretToken('daya', left)) === formatSecretToken(newSecretToken('daya', right))).toBe(
        same,
      );
    }),
  );
});

test('the checksum finds every change of one character', () => {
  fc.assert(
    fc.property(random, fc.nat(), fc.constantFrom(...'0aZ_-é '), (bytes, position, other) => {
      const text = formatSecretToken(newSecretToken('daya', bytes));
      const index = position % text.length;
      fc.pre(text[index] !== other);
      expect(parseSecretToken('daya', text.slice(0, index) + other + text.slice(index + 1))).toBeUndefined();
    }),
  );
});

test('any other text is no token, and is never an exception', () => {
  fc.assert(fc.property(fc.string(), (text) => parseSecretToken('daya', text) === undefined));
  for (const text of ['', 'daya', 'daya___', 'daya_a_b_c_d']) expect(parseSecretToken('daya', text)).toBeUndefined();
});

test('a token needs all its random bytes', () => {
  expect(() => newSecretToken('daya', new Uint8Array(RANDOM_BYTES - 1))).toThrow('random bytes');
});
