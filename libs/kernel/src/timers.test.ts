import * as fc from 'fast-check';
import { timersAt } from './timers';

test('at every scale an agent has fenced itself before its lease ends and before the task is placed again', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.05, max: 1, noNaN: true }), (scale) => {
      const timers = timersAt(scale);
      expect(timers.heartbeatMs * 1.2).toBeLessThan(timers.suspectMs);
      expect(timers.selfFenceMs).toBeLessThan(timers.leaseTtlMs);
      expect(timers.leaseTtlMs).toBeLessThan(timers.reassignMs);
      expect(timers.renewalPersistMs).toBeLessThan(timers.leaseTtlMs);
      expect(timers.offerMs).toBeGreaterThanOrEqual(5_000);
      expect(timers.quoteMs).toBeGreaterThanOrEqual(60_000);
    }),
  );
});

test('a scale outside (0, 1] is a configuration error', () => {
  for (const scale of [0, -1, 1.1, Number.NaN]) expect(() => timersAt(scale)).toThrow('TIMER_SCALE');
});

test('the table is that of docs/architecture.md; a scale shortens it down to the floors', () => {
  expect(timersAt(1)).toMatchObject({ heartbeatMs: 10_000, leaseTtlMs: 60_000, reassignMs: 75_000, offerMs: 10_000 });
  expect(timersAt(0.2)).toMatchObject({ heartbeatMs: 2_000, leaseTtlMs: 12_000, offerMs: 5_000, quoteMs: 60_000 });
});
