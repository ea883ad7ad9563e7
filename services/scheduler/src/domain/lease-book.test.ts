import { timersAt } from '@daya/kernel';
import { LeaseBook, type DueLeases, type LiveLease } from './lease-book';

const TIMERS = timersAt(1);
const RING_MS = TIMERS.offerMs / 3;

const aLease = (more: Partial<LiveLease> = {}): LiveLease => ({
  leaseId: 'l',
  leaseToken: 1n,
  nodeId: 'n',
  jobId: 'j',
  phase: 'HELD',
  grantAtMs: 0,
  answerAtMs: TIMERS.offerMs,
  acceptAtMs: 0,
  startAtMs: undefined,
  maxRunMs: 1_000,
  expireAtMs: TIMERS.leaseTtlMs,
  storedExpireAtMs: TIMERS.leaseTtlMs,
  closeAtMs: TIMERS.reassignMs,
  stopReason: undefined,
  rungAtMs: 0,
  ringCount: 1,
  ...more,
});

const bookOf = (...leases: LiveLease[]): LeaseBook => {
  const book = new LeaseBook(TIMERS);
  leases.forEach((lease) => book.add(lease));
  return book;
};

/** The name of the list that a lease is due in; undefined when it is in none. */
function dueIn(lease: LiveLease, nowMs: number, frozen = false): string | undefined {
  const lists = Object.entries(bookOf(lease).due(nowMs, () => frozen)) as [keyof DueLeases, readonly LiveLease[]][];
  const names = lists.filter(([, leases]) => leases.length > 0).map(([name]) => name);
  expect(names.length).toBeLessThanOrEqual(1);
  return names[0];
}

test('an offer is withdrawn at its answer time, a held lease expires at its end, a quarantine ends at its close', () => {
  const offered = aLease({ phase: 'OFFERED', rungAtMs: TIMERS.offerMs });
  expect(dueIn(offered, TIMERS.offerMs - 1)).toBeUndefined();
  expect(dueIn(offered, TIMERS.offerMs)).toBe('unanswered');
  expect(dueIn(aLease(), TIMERS.leaseTtlMs - 1)).toBeUndefined();
  expect(dueIn(aLease(), TIMERS.leaseTtlMs)).toBe('expired');
  expect(dueIn(aLease(), TIMERS.leaseTtlMs, true)).toBeUndefined();
  const ended = aLease({ phase: 'QUARANTINED' });
  expect(dueIn(ended, TIMERS.reassignMs - 1)).toBeUndefined();
  expect(dueIn(ended, TIMERS.reassignMs)).toBe('toClose');
});

test('a run past its budget is stopped one lease life later, once', () => {
  const endMs = 500 + 1_000 + TIMERS.leaseTtlMs;
  const running = aLease({ startAtMs: 500, expireAtMs: 10 * endMs });
  expect(dueIn(running, endMs - 1)).toBeUndefined();
  expect(dueIn(running, endMs)).toBe('overdue');
  expect(dueIn({ ...running, stopReason: 'EXPIRED', rungAtMs: endMs }, endMs)).toBeUndefined();
  expect(dueIn({ ...running, startAtMs: undefined }, endMs)).toBeUndefined();
});

test('offers and orders to stop are rung again after a third of the time to answer; others are not', () => {
  expect(dueIn(aLease({ phase: 'OFFERED' }), Math.ceil(RING_MS) - 1)).toBeUndefined();
  expect(dueIn(aLease({ phase: 'OFFERED' }), Math.ceil(RING_MS))).toBe('toRing');
  expect(dueIn(aLease({ stopReason: 'CANCELLED' }), Math.ceil(RING_MS))).toBe('toRing');
  expect(dueIn(aLease(), Math.ceil(RING_MS))).toBeUndefined();
});

test('an expired lease is renewed by nobody, and comes due again only when its quarantine has an end', () => {
  const lease = aLease();
  const book = bookOf(lease);
  book.expire(lease);
  expect(book.renew(lease, TIMERS.leaseTtlMs + 1)).toBe(false);
  expect(lease.expireAtMs).toBe(TIMERS.leaseTtlMs);
  expect(dueIn(lease, 1_000 * TIMERS.leaseTtlMs)).toBeUndefined();
  lease.closeAtMs = TIMERS.reassignMs;
  expect(dueIn(lease, TIMERS.reassignMs)).toBe('toClose');
});

test('a renewal gives one life from its receipt, never takes time away, and nothing to a lease that must stop', () => {
  const lease = aLease();
  const book = bookOf(lease);
  expect(book.toPersist()).toEqual([]);
  expect(book.renew(lease, 10)).toBe(true);
  expect(lease.expireAtMs).toBe(10 + TIMERS.leaseTtlMs);
  expect(book.renew(lease, 5)).toBe(true);
  expect(lease.expireAtMs).toBe(10 + TIMERS.leaseTtlMs);
  expect(book.toPersist()).toEqual([lease]);
  for (const stopped of [aLease({ phase: 'QUARANTINED' }), aLease({ stopReason: 'CANCELLED' })]) {
    expect(bookOf(stopped).renew(stopped, 10)).toBe(false);
    expect(stopped.expireAtMs).toBe(TIMERS.leaseTtlMs);
  }
  expect(bookOf(aLease({ phase: 'QUARANTINED', storedExpireAtMs: 0 })).toPersist()).toEqual([]);
});

test('leases are found by id and by node until they are removed', () => {
  const [one, two] = [aLease({ leaseId: 'a' }), aLease({ leaseId: 'b' })];
  const book = bookOf(one, two);
  expect(book.size).toBe(2);
  expect(book.ofNode('n')).toEqual([one, two]);
  book.remove('a');
  book.remove('nobody');
  expect(book.get('a')).toBeUndefined();
  expect([...book.all()]).toEqual([two]);
  expect(book.ofNode('n')).toEqual([two]);
  book.remove('b');
  expect(book.ofNode('n')).toEqual([]);
  expect(book.size).toBe(0);
});
