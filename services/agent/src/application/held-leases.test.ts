import type { KillReason } from '../domain/exit-reason';
import type { LeaseOffer } from '../domain/lease-offer';
import { HeldLease } from './held-leases';
import type { Alarms, MonotonicClock, RunHandle } from './ports';

const FENCE_MS = 1_000;

/** A clock that stands still until told, and alarms that ring when it passes them. */
class Time implements MonotonicClock, Alarms {
  private ms = 0;
  private readonly alarms = new Set<{ atMs: number; ring(): void }>();

  nowMs(): number {
    return this.ms;
  }

  after(delayMs: number, ring: () => void): () => void {
    const alarm = { atMs: this.ms + delayMs, ring };
    this.alarms.add(alarm);
    return () => this.alarms.delete(alarm);
  }

  /** Asleep, the alarms do not ring. */
  sleepUntil(ms: number): void {
    this.ms = ms;
  }

  goOnUntil(ms: number): void {
    this.ms = ms;
    for (const alarm of [...this.alarms]) {
      if (alarm.atMs > ms || !this.alarms.delete(alarm)) continue;
      alarm.ring();
    }
  }
}

function held(): { time: Time; lease: HeldLease; kills: KillReason[]; deadlines: number[]; stops: number[] } {
  const time = new Time();
  const lease = new HeldLease({ leaseId: 'l', leaseToken: 7n } as LeaseOffer, 0, FENCE_MS, time, time);
  const [kills, deadlines, stops] = [[] as KillReason[], [] as number[], [] as number[]];
  const handle = { kill: (reason: KillReason) => kills.push(reason), armFence: (ms: number) => deadlines.push(ms) };
  lease.attach(handle as unknown as RunHandle);
  lease.onStop(() => stops.push(time.nowMs()));
  return { time, lease, kills, deadlines, stops };
}

test('without a renewal the fence falls by itself, at its deadline and once', () => {
  const { time, kills, deadlines, stops } = held();
  expect(deadlines).toEqual([FENCE_MS]);
  time.goOnUntil(FENCE_MS - 1);
  expect(kills).toEqual([]);
  time.goOnUntil(FENCE_MS);
  expect(kills).toEqual(['FENCED']);
  expect(stops).toEqual([FENCE_MS]);
  time.goOnUntil(10 * FENCE_MS);
  expect(stops).toEqual([FENCE_MS]);
});

test('a renewal moves the fence by when it was sent; the old alarm rings no more', () => {
  const { time, lease, kills, deadlines } = held();
  time.goOnUntil(900);
  lease.renewed(400);
  expect(deadlines).toEqual([FENCE_MS, 400 + FENCE_MS]);
  time.goOnUntil(400 + FENCE_MS - 1);
  expect(kills).toEqual([]);
  time.goOnUntil(400 + FENCE_MS);
  expect(kills).toEqual(['FENCED']);
});

test('whoever slept through the deadline is fenced before its next step, and a late renewal does not revive it', () => {
  const { time, lease, kills, deadlines } = held();
  time.sleepUntil(FENCE_MS);
  lease.renewed(900);
  expect(kills).toEqual(['FENCED']);
  expect(deadlines).toEqual([FENCE_MS]);
  expect(lease.stopped).toBe('FENCED');
});

test('the first reason to stop stays; a container that comes later is killed at once; a released lease is left alone', () => {
  const { time, lease, kills } = held();
  lease.stop('CANCELLED');
  lease.stop('FENCED');
  expect(kills).toEqual(['CANCELLED', 'CANCELLED']);
  const late: KillReason[] = [];
  const handle = { kill: (reason: KillReason) => late.push(reason), armFence: () => undefined };
  lease.attach(handle as unknown as RunHandle);
  expect(late).toEqual(['CANCELLED']);
  const released = held();
  released.lease.release();
  released.time.goOnUntil(10 * FENCE_MS);
  expect(released.kills).toEqual([]);
  expect(time.nowMs()).toBe(0);
});
