import * as fc from 'fast-check';
import { fromTimestamp, toTimestamp } from './timestamps';

test('a Date survives the way through a Timestamp, also before 1970, and nanos are never negative', () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true }), (date) => {
      const timestamp = toTimestamp(date);
      expect(timestamp.nanos).toBeGreaterThanOrEqual(0);
      expect(timestamp.nanos).toBeLessThan(1_000_000_000);
      expect(fromTimestamp(timestamp)).toEqual(date);
    }),
  );
});

test('an instant that no Date can hold is refused', () => {
  expect(() => fromTimestamp({ seconds: 2n ** 60n, nanos: 0 })).toThrow(RangeError);
});
