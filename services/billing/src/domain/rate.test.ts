import * as fc from 'fast-check';
import { NOTHING, capSplit, chargeMicros, feeMicros, splitAt, splitBetween } from './rate';

const aRate = fc.record({
  priceMicrosPerGpuHour: fc.bigInt({ min: 0n, max: 1_000_000_000n }),
  gpuMilli: fc.integer({ min: 1, max: 64_000 }),
  feeBps: fc.bigInt({ min: 0n, max: 10_000n }),
});
const times = fc.array(fc.bigInt({ min: 0n, max: 600_000n }), { minLength: 1, maxLength: 20 });

test('charge, fee and provider follow the formulas and add up', () => {
  fc.assert(
    fc.property(aRate, fc.bigInt({ min: 0n, max: 10n ** 9n }), (rate, ms) => {
      const { charge, fee, provider } = splitAt(rate, ms);
      const exact = rate.priceMicrosPerGpuHour * BigInt(rate.gpuMilli) * ms;
      expect(charge * 3_600_000_000n <= exact && (charge + 1n) * 3_600_000_000n > exact).toBe(true);
      expect(fee * 10_000n <= charge * rate.feeBps && (fee + 1n) * 10_000n > charge * rate.feeBps).toBe(true);
      expect(fee + provider).toBe(charge);
      expect(fee >= 0n && provider >= 0n).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test('however the time of a run is cut, its parts add up to the whole', () => {
  fc.assert(
    fc.property(aRate, times, (rate, cut) => {
      let ms = 0n;
      const sum = { charge: 0n, fee: 0n, provider: 0n };
      for (const length of cut) {
        const part = splitBetween(rate, ms, ms + length);
        ms += length;
        expect(part.fee + part.provider).toBe(part.charge);
        expect(part.charge >= 0n && part.fee >= 0n && part.provider >= 0n).toBe(true);
        sum.charge += part.charge;
        sum.fee += part.fee;
        sum.provider += part.provider;
      }
      expect(sum).toEqual(splitAt(rate, ms));
    }),
    { numRuns: 500 },
  );
});

test('runs of one task that share its time never cost more than the quoted task', () => {
  fc.assert(
    fc.property(aRate, times, (rate, runsMs) => {
      const quoted = chargeMicros(
        rate,
        runsMs.reduce((sum, ms) => sum + ms, 0n),
      );
      expect(runsMs.reduce((sum, ms) => sum + chargeMicros(rate, ms), 0n) <= quoted).toBe(true);
    }),
  );
});

test('a hold that runs out is taken to the last micro, in one step or in two, with the fee of the total', () => {
  const aTime = fc.bigInt({ min: 0n, max: 10n ** 8n });
  fc.assert(
    fc.property(aRate, aTime, aTime, fc.bigInt({ min: 0n, max: 10n ** 9n }), (rate, firstMs, restMs, hold) => {
      const owed = splitAt(rate, firstMs + restMs);
      const whole = capSplit(NOTHING, owed, hold, rate.feeBps);
      expect(whole.charge).toBe(owed.charge < hold ? owed.charge : hold);
      expect(whole.fee).toBe(feeMicros(whole.charge, rate.feeBps));
      expect(whole.fee + whole.provider).toBe(whole.charge);
      const first = capSplit(NOTHING, splitAt(rate, firstMs), hold, rate.feeBps);
      const rest = capSplit(first, splitBetween(rate, firstMs, firstMs + restMs), hold - first.charge, rate.feeBps);
      expect(first.charge + rest.charge).toBe(whole.charge);
      expect(first.fee + rest.fee).toBe(whole.fee);
      expect(rest.fee >= 0n && rest.provider >= 0n).toBe(true);
    }),
  );
});

test('worked examples', () => {
  const rate = { priceMicrosPerGpuHour: 2_500_000n, gpuMilli: 1_000, feeBps: 500n };
  expect(splitAt(rate, 3_600_000n)).toEqual({ charge: 2_500_000n, fee: 125_000n, provider: 2_375_000n });
  expect(splitAt(rate, 1n).charge).toBe(0n);
  expect(splitAt(rate, 1_000n)).toEqual({ charge: 694n, fee: 34n, provider: 660n });
  expect(splitAt({ ...rate, gpuMilli: 250 }, 3_600_000n).charge).toBe(625_000n);
  expect(feeMicros(10_001n, 1n)).toBe(1n);
});

test('the largest amounts are exact too: far beyond what a floating-point number can tell apart', () => {
  const rate = { priceMicrosPerGpuHour: 999_999_999_999n, gpuMilli: 63_999, feeBps: 333n };
  const ms = 2_591_999_999n;
  const exact = rate.priceMicrosPerGpuHour * 63_999n * ms;
  const { charge, fee, provider } = splitAt(rate, ms);
  expect(charge).toBe(46_079_279_982_176_420n);
  expect(charge * 3_600_000_000n <= exact && (charge + 1n) * 3_600_000_000n > exact).toBe(true);
  expect(fee).toBe((charge * 333n) / 10_000n);
  expect(fee + provider).toBe(charge);
});

test('what cannot be charged is refused', () => {
  expect(() => chargeMicros({ priceMicrosPerGpuHour: 2n ** 62n, gpuMilli: 64_000 }, 3_600_000n)).toThrow('64 bits');
  expect(() => chargeMicros({ priceMicrosPerGpuHour: -1n, gpuMilli: 1 }, 1n)).toThrow('never negative');
  expect(() => splitBetween({ priceMicrosPerGpuHour: 1n, gpuMilli: 1, feeBps: 0n }, 2n, 1n)).toThrow(
    'ends after it starts',
  );
});
