import { timersAt } from '@daya/kernel';
import { Heartbeats, MASS_LOSS } from './connectivity';
import { LeaseBook, type LiveLease } from './lease-book';

const timers = timersAt(1);
const heartbeats = (): Heartbeats => new Heartbeats(timers, (nodeId) => nodeId.split('/')[0] ?? '', 1);

test('silence makes a node suspect, then lost; one word makes it online again', () => {
  const nodes = heartbeats();
  expect(nodes.hear('eu/1', 0, false, 0)).toBe(true);
  expect(nodes.hear('eu/1', 10_000, false, 10_000)).toBe(false);
  expect(nodes.review(34_999)).toEqual([]);
  expect(nodes.review(35_000)).toMatchObject([{ connectivity: 'SUSPECT' }]);
  expect(nodes.review(70_000)).toMatchObject([{ connectivity: 'LOST', sinceMs: 70_000 }]);
  expect(nodes.hear('eu/1', 80_000, false, 80_000)).toBe(true);
  expect(nodes.get('eu/1')).toMatchObject({ connectivity: 'ONLINE', sinceMs: 80_000 });
});

test('after a start a node that was online stays so until it would be suspect; one that was lost stays lost', () => {
  const nodes = heartbeats();
  nodes.seed('eu/1', 'ONLINE', 0, 100_000);
  nodes.seed('eu/2', 'SUSPECT', 0, 100_000);
  nodes.seed('eu/3', 'LOST', 0, 100_000);
  expect(nodes.review(100_000 + timers.suspectMs - 1)).toEqual([]);
  expect(nodes.review(100_000 + timers.suspectMs)).toMatchObject([{ nodeId: 'eu/1', connectivity: 'SUSPECT' }]);
  expect(nodes.review(100_000 + timers.leaseTtlMs).map(({ nodeId }) => nodeId)).toEqual(['eu/1', 'eu/2']);
});

test('a fifth of a region silent within a minute freezes its expiry, nobody else’s, and not for ever', () => {
  const nodes = heartbeats();
  for (let number = 0; number < 80; number += 1) nodes.hear(`eu/${number}`, 0, false, 0);
  for (let number = 0; number < 5; number += 1) nodes.hear(`us/${number}`, 0, false, 0);
  for (let nowMs = 1_000; nowMs <= 70_000; nowMs += 1_000) {
    for (let number = MASS_LOSS.nodesMin; number < 80; number += 1) nodes.hear(`eu/${number}`, nowMs, false, nowMs);
    nodes.review(nowMs);
  }
  expect(nodes.isFrozen('eu/0')).toBe(true);
  expect(nodes.get('eu/0')?.connectivity).toBe('SUSPECT');
  expect(nodes.isFrozen('us/0')).toBe(false);
  expect(nodes.get('us/0')?.connectivity).toBe('LOST');
  nodes.review(timers.suspectMs + MASS_LOSS.freezeMs + 1_000);
  expect(nodes.isFrozen('eu/0')).toBe(false);
  expect(
    nodes.review(timers.suspectMs + MASS_LOSS.freezeMs + 2_000).length +
      (nodes.get('eu/0')?.connectivity === 'LOST' ? 1 : 0),
  ).toBeGreaterThan(0);
});

test('nineteen silent nodes, or a fifth exactly, freeze nothing', () => {
  for (const [silent, all] of [
    [19, 30],
    [20, 100],
  ] as const) {
    const nodes = heartbeats();
    for (let number = 0; number < all; number += 1)
      nodes.hear(`eu/${number}`, number < silent ? 0 : 30_000, false, 30_000);
    nodes.review(30_000);
    expect(nodes.isFrozen('eu/0')).toBe(false);
  }
});

const lease = (more: Partial<LiveLease> = {}): LiveLease => ({
  leaseId: 'l',
  leaseToken: 1n,
  nodeId: 'eu/1',
  jobId: 'j',
  phase: 'HELD',
  grantAtMs: 0,
  answerAtMs: 10_000,
  acceptAtMs: 1,
  startAtMs: undefined,
  maxRunMs: 60_000,
  expireAtMs: 60_000,
  storedExpireAtMs: 60_000,
  closeAtMs: Number.POSITIVE_INFINITY,
  stopReason: undefined,
  rungAtMs: 0,
  ringCount: 1,
  ...more,
});

function dueAt(nowMs: number, more: Partial<LiveLease>, frozen = false): string[] {
  const book = new LeaseBook(timers);
  book.add(lease(more));
  return Object.entries(book.due(nowMs, () => frozen)).flatMap(([name, leases]) =>
    (leases as unknown[]).length > 0 ? [name] : [],
  );
}

test('what is due of a lease follows its phase and the clock', () => {
  expect(dueAt(9_999, { phase: 'OFFERED', rungAtMs: 9_000 })).toEqual([]);
  expect(dueAt(4_000, { phase: 'OFFERED' })).toEqual(['toRing']);
  expect(dueAt(10_000, { phase: 'OFFERED' })).toEqual(['unanswered']);
  expect(dueAt(59_999, {})).toEqual([]);
  expect(dueAt(60_000, {})).toEqual(['expired']);
  expect(dueAt(60_000, {}, true)).toEqual([]);
  expect(dueAt(74_999, { phase: 'QUARANTINED', closeAtMs: 75_000 })).toEqual([]);
  expect(dueAt(75_000, { phase: 'QUARANTINED', closeAtMs: 75_000 })).toEqual(['toClose']);
  expect(dueAt(20_000, { stopReason: 'CANCELLED' })).toEqual(['toRing']);
  expect(dueAt(130_000, { startAtMs: 10_000, expireAtMs: 190_000 })).toEqual(['overdue']);
});

test('a renewal gives one life from its receipt, but not to a lease that must stop or has ended', () => {
  const book = new LeaseBook(timers);
  const live = lease();
  expect(book.renew(live, 20_000)).toBe(true);
  expect(live.expireAtMs).toBe(80_000);
  expect(book.renew(live, 5_000)).toBe(true);
  expect(live.expireAtMs).toBe(80_000);
  expect(book.renew(lease({ stopReason: 'CANCELLED' }), 20_000)).toBe(false);
  expect(book.renew(lease({ phase: 'QUARANTINED' }), 20_000)).toBe(false);
});
