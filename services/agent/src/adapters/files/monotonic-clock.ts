import { MonotonicClock, Alarms } from '../../application/ports';

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** CLOCK_MONOTONIC: one clock for every process of this machine, so the agent can tell a keeper an absolute time. It stops while the machine sleeps. */
export class ProcessClock extends MonotonicClock {
  nowMs(): number {
    return Number(process.hrtime.bigint()) / 1e6;
  }
}

/** Node's timers, also for delays that are longer than they can hold (25 days). */
export class ProcessAlarms extends Alarms {
  after(delayMs: number, fire: () => void): () => void {
    let timer: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(Math.max(0, Math.ceil(leftMs)), MAX_TIMEOUT_MS);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : fire()), stepMs);
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  }
}
