import * as fc from 'fast-check';
import { concentrationOf } from './concentration';
import {
  VESTING_DAYS,
  addToBuckets,
  cumulativeVested,
  earlyExitAmount,
  liquidPart,
  lockedPart,
  vestedAmount,
} from './vesting';

const amounts = fc.bigInt({ min: 0n, max: 2n ** 62n });

test('the figures of the design', () => {
  const [a, lock] = [1_000_000_001n, 500_000_001n];
  expect([liquidPart(a), lockedPart(a), vestedAmount(a, 45n)]).toEqual([500_000_000n, lock, 750_000_000n]);
  expect([earlyExitAmount(lock, 0n), earlyExitAmount(lock, 45n * 86_400n)]).toEqual([375_000_000n, 437_500_000n]);
});

test('what has vested never falls, never exceeds the award, and is all of it after 90 days', () => {
  fc.assert(
    fc.property(amounts, fc.bigInt({ min: 0n, max: 100n }), (amount, days) => {
      expect(vestedAmount(amount, days + 1n)).toBeGreaterThanOrEqual(vestedAmount(amount, days));
      expect(vestedAmount(amount, days)).toBeLessThanOrEqual(amount);
      expect(vestedAmount(amount, VESTING_DAYS + days)).toBe(amount);
    }),
  );
});

test('an early exit never pays more than the lock, and all of it at the end', () => {
  fc.assert(
    fc.property(amounts, fc.bigInt({ min: 0n, max: 8_000_000n }), (locked, seconds) => {
      expect(earlyExitAmount(locked, seconds)).toBeLessThanOrEqual(locked);
      expect(earlyExitAmount(locked, seconds + 1n)).toBeGreaterThanOrEqual(earlyExitAmount(locked, seconds));
      expect(earlyExitAmount(locked, 90n * 86_400n)).toBe(locked);
    }),
  );
});

test('the cumulative of an account never decreases over any history of awards and days', () => {
  const step = fc.record({
    days: fc.bigInt({ min: 0n, max: 40n }),
    account: fc.constantFrom('a', 'b'),
    amount: amounts,
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (history) => {
      let today = 20_000n;
      let buckets = addToBuckets([], today, []);
      let before: ReadonlyMap<string, bigint> = new Map();
      for (const { days, account, amount } of history) {
        today += days;
        buckets = addToBuckets(buckets, today, [{ account, address: `0x${account}`, amount }]);
        const now = cumulativeVested(buckets, today, 'account');
        expect(buckets.length).toBeLessThanOrEqual(2 * 92);
        for (const [name, vested] of before) expect(now.get(name)).toBeGreaterThanOrEqual(vested);
        before = now;
      }
    }),
  );
});

test('concentration: one owner is 10,000, four equal ones 2,500', () => {
  expect(concentrationOf([7n])).toEqual({ topOwnerBps: 10_000n, hhi: 10_000n, owners: 1n });
  expect(concentrationOf([5n, 5n, 5n, 5n, 0n])).toEqual({ topOwnerBps: 2_500n, hhi: 2_500n, owners: 4n });
  expect(concentrationOf([0n])).toEqual({ topOwnerBps: 0n, hhi: 0n, owners: 0n });
});
