import { randomBytes } from 'node:crypto';
import { IdGenerator } from '@daya/kernel';

/** Time-ordered UUIDs (version 7); ids of one process never run backwards, because files are sorted by them. */
export class UuidV7 extends IdGenerator {
  private lastMs = 0;
  private counter = 0;

  next(): string {
    const nowMs = Math.max(Date.now(), this.lastMs);
    this.counter = nowMs === this.lastMs ? this.counter + 1 : 0;
    if (this.counter > 0xfff) return this.afterFullMillisecond();
    this.lastMs = nowMs;
    const time = nowMs.toString(16).padStart(12, '0');
    const random = randomBytes(8);
    random[0] = 0x80 | ((random[0] ?? 0) & 0x3f);
    const tail = random.toString('hex');
    return [
      time.slice(0, 8),
      time.slice(8),
      `7${this.counter.toString(16).padStart(3, '0')}`,
      tail.slice(0, 4),
      tail.slice(4),
    ].join('-');
  }

  private afterFullMillisecond(): string {
    this.lastMs += 1;
    this.counter = -1;
    return this.next();
  }
}
