import { Clock, IdGenerator } from '@daya/kernel';

/** A clock that stands still until a test moves it. */
export class FakeClock extends Clock {
  private nowMs: number;

  constructor(start: Date | string = '2026-01-01T00:00:00.000Z') {
    super();
    this.nowMs = new Date(start).getTime();
  }

  override now(): Date {
    return new Date(this.nowMs);
  }

  advance(ms: number): void {
    this.nowMs += ms;
  }

  set(now: Date | string): void {
    this.nowMs = new Date(now).getTime();
  }
}

/** UUIDs of version 7 in a row: `…-000000000001`, `…-000000000002`. Two generators need different `lane`s (0 to 4095). */
export class SequentialIds extends IdGenerator {
  private count = 0;

  constructor(private readonly lane = 0) {
    super();
  }

  override next(): string {
    this.count += 1;
    const lane = this.lane.toString(16).padStart(3, '0');
    return `01900000-0000-7${lane}-8000-${this.count.toString(16).padStart(12, '0')}`;
  }
}
