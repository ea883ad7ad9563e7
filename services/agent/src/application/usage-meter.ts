import { NOTHING_COUNTED, startCounting, stopCounting, tickAll } from '../domain/usage-counter';
import type { LeaseRef } from './messages';
import type { LeaseJournal, MonotonicClock, PlatformLink, UsageSpool } from './ports';

/** Dispatch takes this many unacknowledged blocks of one agent and drops more. */
const WINDOW_BLOCKS = 16;

/** Counts running time and gets it to the platform, through a spool that survives the agent. */
export class UsageMeter {
  private counter = NOTHING_COUNTED;
  /** Blocks that were sent on the present stream. */
  private readonly sent = new Set<string>();

  constructor(
    private readonly clock: MonotonicClock,
    private readonly spool: UsageSpool,
    private readonly journal: LeaseJournal,
    private readonly link: PlatformLink,
  ) {}

  start(lease: LeaseRef, startedAtMs: number): void {
    this.counter = startCounting(this.counter, lease.leaseId, lease.leaseToken, startedAtMs);
  }

  /** One block with a tick of every running lease, if there is one. */
  tick(): void {
    const [counter, ticks] = tickAll(this.counter, this.clock.nowMs());
    this.counter = counter;
    if (ticks.length === 0) return;
    for (const tick of ticks) this.journal.save(tick);
    this.spool.append(ticks);
    this.sendPending();
  }

  /** The final tick; returns the lease's milliseconds, 0 when it never ran. */
  finish(lease: LeaseRef, endedAtMs: number): number {
    const [counter, last] = stopCounting(this.counter, lease.leaseId, endedAtMs);
    this.counter = counter;
    if (last === null) return 0;
    this.spool.append([last]);
    this.sendPending();
    return last.cumulativeMs;
  }

  /** The final tick of a lease that an earlier life of the agent counted. */
  finishLost(lease: LeaseRef, cumulativeMs: number): void {
    if (cumulativeMs > 0)
      this.spool.append([{ leaseId: lease.leaseId, leaseToken: lease.leaseToken, cumulativeMs, final: true }]);
  }

  acknowledged(bootId: string, lastSequence: number): void {
    this.spool.acknowledge(bootId, lastSequence);
    this.sendPending();
  }

  /** A new stream, or no acknowledgement for too long: everything that is pending counts as not sent. */
  resend(): void {
    this.sent.clear();
    this.sendPending();
  }

  /** In order, a window at a time: after a long outage the acknowledgements set the pace. */
  private sendPending(): void {
    for (const block of this.spool.pending().slice(0, WINDOW_BLOCKS)) {
      const key = `${block.bootId} ${block.lastSequence}`;
      if (this.sent.has(key)) continue;
      if (!this.link.send({ type: 'usage', block: block.bytes })) return;
      this.sent.add(key);
    }
  }
}
