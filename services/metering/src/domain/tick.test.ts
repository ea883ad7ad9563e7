import type { Lease } from './lease';
import { judge, type Tick } from './tick';
import { usageIdOf } from './usage-record';

const lease = { leaseToken: 7n, nodeId: 'a', endMs: 5_000, lost: true } as Lease;
const aTick = (overrides: Partial<Tick> = {}): Tick => ({
  nodeId: 'a',
  bootId: 'boot',
  sequence: 1n,
  leaseId: 'lease',
  leaseToken: 7n,
  cumulativeMs: 100n,
  final: false,
  receiveMs: 4_000,
  ...overrides,
});

test.each([
  ['of a lease that nobody heard of yet', aTick(), undefined, { state: 'waiting' }],
  ['in order', aTick(), lease, { state: 'accepted' }],
  ['of another node', aTick({ nodeId: 'b' }), lease, { state: 'refused', reason: 'NOT_THIS_NODE' }],
  ['under an older token', aTick({ leaseToken: 6n }), lease, { state: 'refused', reason: 'STALE_TOKEN' }],
  ['after a lost lease ended', aTick({ receiveMs: 5_001 }), lease, { state: 'refused', reason: 'LEASE_ENDED' }],
  [
    'with a counter that went back',
    aTick({ cumulativeMs: 49n }),
    lease,
    { state: 'refused', reason: 'COUNTER_WENT_BACK' },
  ],
])('a tick %s', (_name, tick, known, verdict) => {
  expect(judge(tick, known, 50n)).toEqual(verdict);
});

test('a spooled tick that comes after a normal end still counts', () => {
  expect(judge(aTick({ receiveMs: 9_000 }), { ...lease, lost: false }, 50n)).toEqual({ state: 'accepted' });
});

test('usage ids are well-formed, repeatable, and differ by every part', () => {
  const id = usageIdOf('lease', 1, 1);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(usageIdOf('lease', 1, 1)).toBe(id);
  expect(new Set([id, usageIdOf('lease2', 1, 1), usageIdOf('lease', 2, 1), usageIdOf('lease', 1, 2)]).size).toBe(4);
});
