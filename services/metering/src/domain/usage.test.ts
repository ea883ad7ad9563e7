import * as fc from 'fast-check';
import type { Lease } from './lease';
import type { Tick } from './tick';
import { disagree, heard, patienceEndMs, settleWindows, type AgentWord, type UsageWindow } from './usage';

const timers = { usageWindowMs: 60_000, usageGraceMs: 30_000, usageEstimateMs: 300_000 };
const START = 1_000_000;
const aLease = (overrides: Partial<Lease> = {}): Lease => ({
  leaseId: 'lease',
  leaseToken: 7n,
  nodeId: 'node',
  organisationId: 'customer',
  providerOrganisationId: 'provider',
  jobId: 'job',
  gpuMilli: 1_000,
  mscu: 1_000,
  startMs: START,
  expireMs: START + 10_000_000,
  endMs: undefined,
  lost: false,
  ...overrides,
});
const word = (counterMs: number, watermarkMs?: number, final = false): AgentWord => ({
  counterMs: BigInt(counterMs),
  watermarkMs,
  final,
});
const billed = (windows: readonly UsageWindow[]): bigint => windows.at(-1)?.billableCumulativeMs ?? 0n;

test('a lease that never started has no windows', () => {
  expect(settleWindows(aLease({ startMs: undefined, endMs: START }), word(0), [], START + 1e9, timers)).toEqual([]);
});

test('a window closes when the agent is past its end by the grace, not before', () => {
  const running = aLease();
  expect(settleWindows(running, word(89_999, START + 89_999), [], START + 90_000, timers)).toEqual([]);
  const [window] = settleWindows(running, word(90_000, START + 90_000), [], START + 90_000, timers);
  expect(window).toMatchObject({
    startMs: START,
    endMs: START + 60_000,
    billableCumulativeMs: 60_000n,
    final: false,
    estimated: false,
    version: 1,
  });
});

test('a window past the last renewal stays open, whatever the agent says', () => {
  expect(
    settleWindows(aLease({ expireMs: START + 59_999 }), word(200_000, START + 200_000), [], START + 200_000, timers),
  ).toEqual([]);
});

test('the last word of the agent closes an ended lease at once', () => {
  const windows = settleWindows(
    aLease({ endMs: START + 15_000 }),
    word(14_800, START + 15_010, true),
    [],
    START + 15_020,
    timers,
  );
  expect(windows).toHaveLength(1);
  expect(windows[0]).toMatchObject({
    endMs: START + 15_000,
    billableCumulativeMs: 14_800n,
    final: true,
    estimated: false,
  });
});

test('the lower witness decides: an agent that doubles its counter gains nothing, one that stops counting is paid its word', () => {
  const lease = aLease({ endMs: START + 40_000 });
  expect(billed(settleWindows(lease, word(80_000, START + 40_000, true), [], START + 40_001, timers))).toBe(40_000n);
  expect(billed(settleWindows(lease, word(12_345, START + 40_000, true), [], START + 40_001, timers))).toBe(12_345n);
});

test('a silent agent is waited for, then its last word is an estimate, and a late word corrects it with a higher version', () => {
  const lease = aLease({ endMs: START + 30_000 });
  expect(settleWindows(lease, word(20_000, START + 20_000), [], START + 329_999, timers)).toEqual([]);
  const estimated = settleWindows(lease, word(20_000, START + 20_000), [], START + 330_000, timers);
  expect(estimated).toMatchObject([{ billableCumulativeMs: 20_000n, final: true, estimated: true, version: 1 }]);
  const corrected = settleWindows(lease, word(29_500, START + 400_000, true), estimated, START + 400_000, timers);
  expect(corrected).toMatchObject([{ billableCumulativeMs: 29_500n, final: true, estimated: false, version: 2 }]);
  expect(settleWindows(lease, word(29_500, START + 400_000, true), corrected, START + 500_000, timers)).toEqual(
    corrected,
  );
});

test('an end that was heard late gives the agent the whole patience from then on, lost or not', () => {
  const heardMs = START + 2_000_000;
  for (const [lost, patience] of [
    [false, timers.usageEstimateMs],
    [true, timers.usageGraceMs],
  ] as const) {
    const lease = aLease({ endMs: START + 30_000, endHeardMs: heardMs, lost });
    expect(settleWindows(lease, word(20_000, START + 20_000), [], heardMs + patience - 1, timers)).toEqual([]);
    const spooled = settleWindows(lease, word(29_500, heardMs + 1_000, true), [], heardMs + 1_000, timers);
    expect(spooled).toMatchObject([{ billableCumulativeMs: 29_500n, final: true, estimated: false, version: 1 }]);
    const silent = settleWindows(lease, word(20_000, START + 20_000), [], heardMs + patience, timers);
    expect(silent).toMatchObject([{ billableCumulativeMs: 20_000n, final: true, estimated: true }]);
  }
});

test('the last window of an ended lease waits for the last word, however late the newest tick is', () => {
  const lease = aLease({ endMs: START + 30_000, endHeardMs: START + 30_000 });
  const late = word(29_000, START + 30_000 + 2 * timers.usageGraceMs);
  expect(settleWindows(lease, late, [], START + 100_000, timers)).toEqual([]);
  const lost = aLease({ endMs: START + 50_000, expireMs: START + 30_000, endHeardMs: START + 50_000 });
  expect(settleWindows(lost, late, [], START + 100_000, timers)).toEqual([]);
});

test('what is heard does not depend on the order in which it is', () => {
  const tick = fc.record({ cumulativeMs: fc.bigInt(0n, 9n), receiveMs: fc.nat(9), final: fc.boolean() });
  fc.assert(
    fc.property(fc.array(tick, { minLength: 1 }), (ticks) => {
      const said = (list: typeof ticks): AgentWord =>
        list.reduce((soFar, each) => heard(soFar, { ...each } as Tick), word(0));
      expect(said(ticks)).toEqual(said([...ticks].reverse()));
      expect(said(ticks)).toEqual({
        counterMs: ticks.map((each) => each.cumulativeMs).reduce((a, b) => (a > b ? a : b)),
        watermarkMs: Math.max(...ticks.map((each) => each.receiveMs)),
        final: ticks.some((each) => each.final),
      });
    }),
  );
});

test('a window that was closed before the late news of the end is not final before the patience is over', () => {
  const heardMs = START + 2_000_000;
  const running = settleWindows(aLease(), word(60_000, START + 95_000), [], START + 95_000, timers);
  const lease = aLease({ endMs: START + 60_000, endHeardMs: heardMs });
  const waiting = settleWindows(lease, word(60_000, START + 95_000), running, heardMs, timers);
  expect(waiting).toEqual(running);
  expect(patienceEndMs(lease, timers)).toBe(heardMs + timers.usageEstimateMs);
  const closed = settleWindows(lease, word(60_000, START + 95_000), running, heardMs + 300_000, timers);
  expect(closed).toMatchObject([{ final: true, version: 2 }]);
});

test('nothing after the last renewed expiry is billable', () => {
  const lease = aLease({ endMs: START + 90_000, expireMs: START + 50_000, lost: true });
  expect(billed(settleWindows(lease, word(90_000, START + 90_000, true), [], START + 90_001, timers))).toBe(50_000n);
});

test('news of an earlier end cuts windows that were closed too far', () => {
  const running = settleWindows(aLease(), word(200_000, START + 200_000), [], START + 200_000, timers);
  expect(running.map((window) => window.endMs - START)).toEqual([60_000, 120_000]);
  const cut = settleWindows(
    aLease({ endMs: START + 70_000 }),
    word(200_000, START + 200_000, true),
    running,
    START + 200_001,
    timers,
  );
  expect(billed(cut)).toBe(70_000n);
  expect(cut.at(-1)).toMatchObject({ endMs: START + 70_000, final: true, version: 2 });
});

/** What can become known about a lease, in the order in which it is true. */
const history = fc.record({
  lifeMs: fc.integer({ min: 0, max: 400_000 }),
  expireMs: fc.integer({ min: 1, max: 500_000 }),
  counters: fc.array(fc.integer({ min: 0, max: 800_000 }), { maxLength: 8 }).map((list) => list.sort((a, b) => a - b)),
  looks: fc.array(
    fc.record({
      nowMs: fc.integer({ min: 0, max: 1_500_000 }),
      known: fc.double({ min: 0, max: 1, noNaN: true }),
      ended: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
});

test('however often and early one looks, the end is the same, tiles the billable time, and no witness is exceeded', () => {
  fc.assert(
    fc.property(history, ({ lifeMs, expireMs, counters, looks }) => {
      const ended = aLease({ endMs: START + lifeMs, expireMs: START + expireMs });
      const last = counters.at(-1) ?? 0;
      let windows: UsageWindow[] = [];
      let endKnown = false;
      let known = 0;
      for (const look of [...looks].sort((a, b) => a.nowMs - b.nowMs)) {
        // A counter never goes back, and what is known is never forgotten.
        known = Math.max(known, look.known);
        const counter = counters[Math.floor(known * counters.length)] ?? 0;
        endKnown ||= look.ended;
        const lease = endKnown ? ended : aLease({ expireMs: START + expireMs });
        windows = settleWindows(
          lease,
          word(counter, counters.length > 0 ? START + look.nowMs : undefined),
          windows,
          START + look.nowMs,
          timers,
        );
        expectSound(windows);
      }
      const end = settleWindows(ended, word(last, START + 2e6, true), windows, START + 2e6, timers);
      const fresh = settleWindows(ended, word(last, START + 2e6, true), [], START + 2e6, timers);
      expectSound(end);
      const stop = Math.min(lifeMs, expireMs);
      expect(billed(end)).toBe(BigInt(Math.min(stop, last)));
      expect(billed(fresh)).toBe(billed(end));
      expect(end.filter((window) => window.final)).toHaveLength(1);
      expect(end.reduce((sum, window) => sum + window.endMs - window.startMs, 0)).toBe(stop);
    }),
    { numRuns: 500 },
  );
});

function expectSound(windows: readonly UsageWindow[]): void {
  windows.forEach((window, index) => {
    const before = windows[index - 1];
    expect(window.endMs).toBeGreaterThanOrEqual(window.startMs);
    if (before !== undefined) {
      expect(window.startMs).toBeGreaterThanOrEqual(before.endMs);
      expect(window.billableCumulativeMs >= before.billableCumulativeMs).toBe(true);
    }
  });
}

test('a discrepancy needs more than two seconds and more than half a percent', () => {
  expect(disagree(10_000n, 12_000n)).toBe(false);
  expect(disagree(10_000n, 12_001n)).toBe(true);
  expect(disagree(1_000_000n, 1_005_000n)).toBe(false);
  expect(disagree(1_000_000n, 1_005_100n)).toBe(true);
});
