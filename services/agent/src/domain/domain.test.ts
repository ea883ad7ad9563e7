import fc from 'fast-check';
import { exitReasonOf, isSuccess } from './exit-reason';
import type { ContainerEnd } from './exit-reason';
import { EMPTY_FLOOR, gpusAtOrAbove, raiseFloor } from './fencing-floor';
import { safeSegments, segmentsBelow } from './safe-path';
import { acknowledgeRenewal, armFence, checkFence } from './self-fence';
import { agentTimers, jitteredHeartbeatMs, reconnectDelayMs } from './timers';

describe('exit reason', () => {
  const end = (changes: Partial<ContainerEnd>): ContainerEnd => ({
    started: true,
    commandFault: null,
    exitCode: 0,
    killedFor: null,
    oomKills: 0,
    scratchFull: false,
    ...changes,
  });

  it.each<[string, Partial<ContainerEnd>, string]>([
    ['a plain end', {}, 'EXITED'],
    ['a failure', { exitCode: 3 }, 'EXITED'],
    ['never ran', { started: false, exitCode: 1 }, 'START_FAILED'],
    ['a command that is not there', { started: false, commandFault: 127, exitCode: 127 }, 'EXITED'],
    ['cancelled before it ran', { started: false, killedFor: 'CANCELLED', exitCode: null }, 'CANCELLED'],
    ['a time limit before it ran', { started: false, killedFor: 'DEADLINE', exitCode: null }, 'START_FAILED'],
    ['killed', { exitCode: 137, killedFor: 'DEADLINE' }, 'DEADLINE'],
    ['killed with memory kills before', { exitCode: 137, killedFor: 'FENCED', oomKills: 2 }, 'FENCED'],
    ['finished in the moment of the kill', { exitCode: 0, killedFor: 'DEADLINE' }, 'EXITED'],
    ['pid 1 out of memory', { exitCode: 137, oomKills: 1 }, 'OOM'],
    ['a child out of memory', { exitCode: 0, oomKills: 1 }, 'OOM_CHILD'],
    ['out of memory and disk', { exitCode: 137, oomKills: 1, scratchFull: true }, 'OOM'],
    ['full', { exitCode: 1, scratchFull: true }, 'DISK_FULL'],
    ['full but content', { exitCode: 0, scratchFull: true }, 'EXITED'],
    ['nobody saw the end', { exitCode: null }, 'NODE_LOST'],
    ['nobody saw the end of a kill', { exitCode: null, killedFor: 'CANCELLED' }, 'CANCELLED'],
  ])('%s', (_name, changes, reason) => expect(exitReasonOf(end(changes))).toBe(reason));

  it('only an exit with 0 is a result', () => {
    expect(isSuccess('EXITED', 0)).toBe(true);
    expect(isSuccess('EXITED', 1)).toBe(false);
    expect(isSuccess('OOM_CHILD', 0)).toBe(false);
  });
});

describe('fencing floor', () => {
  it('property: whatever the order, a token is taken at most once per GPU and only upwards', () => {
    const offers = fc.array(
      fc.record({
        gpus: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', '__proto__'), { minLength: 1 }),
        token: fc.bigInt(0n, 20n),
      }),
    );
    fc.assert(
      fc.property(offers, (list) => {
        let floor = EMPTY_FLOOR;
        const taken = new Map<string, bigint>();
        for (const { gpus, token } of list) {
          const refused = gpusAtOrAbove(floor, gpus, token);
          expect(refused).toEqual(gpus.filter((gpu) => token <= (taken.get(gpu) ?? -1n)));
          if (refused.length > 0) continue;
          floor = raiseFloor(floor, gpus, token);
          for (const gpu of gpus) taken.set(gpu, token);
        }
      }),
    );
  });

  it('raising never lowers', () => {
    const floor = raiseFloor(EMPTY_FLOOR, ['a'], 9n);
    expect(raiseFloor(floor, ['a', 'b'], 3n)).toEqual(
      new Map([
        ['a', 9n],
        ['b', 3n],
      ]),
    );
    expect(gpusAtOrAbove(floor, ['a', 'b'], 9n)).toEqual(['a']);
  });
});

describe('self-fence', () => {
  it('counts from the send time of the last acknowledged renewal', () => {
    const fence = acknowledgeRenewal(armFence(1_000, 45_000), 11_000, 12_000);
    expect(fence.deadlineMs).toBe(56_000);
    expect(acknowledgeRenewal(fence, 5_000, 13_000).deadlineMs).toBe(56_000);
    expect(checkFence(fence, 55_999).fenced).toBe(false);
    expect(checkFence(fence, 56_000).fenced).toBe(true);
  });

  it('property: once past, no acknowledgement revives it', () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(60_000), lagMs: fc.nat(60_000), acknowledged: fc.boolean() }));
    fc.assert(
      fc.property(steps, (list) => {
        let nowMs = 0;
        let fence = armFence(0, 45_000);
        let lastSentMs = 0;
        let dead = false;
        for (const { waitMs, lagMs, acknowledged } of list) {
          nowMs += waitMs;
          dead ||= nowMs >= lastSentMs + 45_000;
          const sentAtMs = Math.max(0, nowMs - lagMs);
          fence = acknowledged ? acknowledgeRenewal(fence, sentAtMs, nowMs) : checkFence(fence, nowMs);
          if (acknowledged && !dead) lastSentMs = Math.max(lastSentMs, sentAtMs);
          expect(fence.fenced).toBe(dead);
        }
      }),
    );
  });
});

describe('timers', () => {
  it('come from the platform table and keep their order', () => {
    expect(agentTimers(1)).toMatchObject({ heartbeatMs: 10_000, selfFenceMs: 45_000 });
    expect(agentTimers(0.2)).toMatchObject({ heartbeatMs: 2_000, selfFenceMs: 9_000 });
    expect(() => agentTimers(2)).toThrow();
  });

  it('property: jitter and backoff stay in their bounds', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.nat(1_000), random, (attempt, value) => {
        const timers = agentTimers(1);
        const delayMs = reconnectDelayMs(timers, attempt, value);
        expect(delayMs).toBeGreaterThan(0);
        expect(delayMs).toBeLessThanOrEqual(timers.reconnectMaxMs);
        expect(Math.abs(jitteredHeartbeatMs(10_000, value) - 10_000)).toBeLessThanOrEqual(2_000);
      }),
    );
  });
});

describe('paths of customers', () => {
  it.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    'a/../b',
    'a/./b',
    'a\0b',
    'a\nb',
    'a\\b',
    '\ud800',
    `${'x'.repeat(256)}`,
    Array(40).fill('d').join('/'),
    'a\ufffd',
  ])('refuses %j', (path) => expect(safeSegments(path)).toBeNull());

  it('keeps names of any language and dots in names', () => {
    expect(safeSegments('výsledek/画像.png/..x')).toEqual(['výsledek', '画像.png', '..x']);
  });

  it('finds what is below /scratch', () => {
    expect(segmentsBelow('/scratch', '/scratch')).toEqual([]);
    expect(segmentsBelow('/scratch', '/scratch/out/')).toEqual(['out']);
    expect(segmentsBelow('/scratch', '/scratchy')).toBeNull();
    expect(segmentsBelow('/scratch', 'scratch/out')).toBeNull();
    expect(segmentsBelow('/scratch', '/scratch/../etc')).toBeNull();
  });

  it('property: accepted segments joined below a root never leave it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (path) => {
        const segments = safeSegments(path);
        if (segments === null) return;
        expect(
          new URL(`file:///root/${segments.map(encodeURIComponent).join('/')}`).pathname.startsWith('/root/'),
        ).toBe(true);
        expect(segments.join('/')).toBe(path);
      }),
      { numRuns: 500 },
    );
  });
});
