import * as fc from 'fast-check';
import { decimalsOf, formatMoney } from './money';

test('formatMoney is exact for every amount', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('USD', 'DAYA', 'USDC:base'),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      (asset, amount) => {
        const text = formatMoney({ asset, amount });
        expect(BigInt(text.replace('.', ''))).toBe(amount);
        expect(text.split('.')[1]).toHaveLength(decimalsOf(asset));
      },
    ),
  );
});

test('an asset with unknown decimals is refused', () => {
  expect(() => decimalsOf('WEI')).toThrow('unknown asset');
  expect(() => decimalsOf('USDC:')).toThrow('unknown asset');
});

test('worked examples', () => {
  expect(formatMoney({ asset: 'USD', amount: 1_234_567n })).toBe('1.234567');
  expect(formatMoney({ asset: 'USD', amount: -1n })).toBe('-0.000001');
  expect(formatMoney({ asset: 'USD', amount: 0n })).toBe('0.000000');
  expect(formatMoney({ asset: 'DAYA', amount: 1n })).toBe('0.000000001');
});
