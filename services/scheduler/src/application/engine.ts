import type { LoadMarket } from './load-market';
import type { MarketState } from './market-state';
import type { PersistRenewals } from './persist-renewals';
import type { PlaceTasks } from './place-tasks';
import type { SweepLeases } from './sweep-leases';
import type { WatchDatabase } from './watch-database';

/** How often time is looked at, as a share of the shortest time that anybody waits for. */
const SWEEPS_PER_OFFER = 20;
const SWEEP_MS_MAX = 250;
const WATCH_MS = 1_000;
/** Renewals are stored twice as often as they must be, so that one failure does no harm. */
const PERSISTS_PER_LIMIT = 2;

/** Steps of the writer; each throws when the database or another writer stands in the way. */
export class EngineSteps {
  constructor(
    readonly load: LoadMarket,
    readonly place: PlaceTasks,
    readonly sweep: SweepLeases,
    readonly persist: PersistRenewals,
    readonly watch: WatchDatabase,
  ) {}
}

/**
 * The one writer of leases, from the moment it has the range until something fails. Simply: load the market; place what
 * waits whenever something changed; look at the clock. Really: placing and the clock's work run side by side (their
 * transactions lock what they touch), and any failure ends the whole term, because memory may then differ from the
 * database; the next term reads it again.
 */
export class Engine {
  constructor(
    private readonly state: MarketState,
    private readonly steps: EngineSteps,
  ) {}

  /**
   * Leads until `signal` aborts (returns) or a step fails (throws what it threw). `onLoaded` starts what feeds the market:
   * loading would overwrite what came in earlier.
   */
  async lead(rangeId: bigint, signal: AbortSignal, onLoaded: () => Promise<void>): Promise<void> {
    await this.steps.load.execute();
    await onLoaded();
    const bell = new Bell();
    this.state.lead(rangeId, () => bell.ring());
    this.state.wake();
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    try {
      const { timers } = this.state;
      await firstFailure(over, [
        this.placeLoop(bell, over.signal),
        every(Math.min(SWEEP_MS_MAX, timers.offerMs / SWEEPS_PER_OFFER), over.signal, () => this.steps.sweep.execute()),
        every(timers.renewalPersistMs / PERSISTS_PER_LIMIT, over.signal, () => this.steps.persist.execute()),
        every(WATCH_MS, over.signal, () => this.steps.watch.execute()),
      ]);
    } finally {
      signal.removeEventListener('abort', end);
      this.state.stepDown();
    }
  }

  private async placeLoop(bell: Bell, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await bell.wait(signal);
      while (!signal.aborted && (await this.steps.place.execute()));
    }
  }
}

/** Waits for all; the first failure ends the others too and is thrown once they are over. */
async function firstFailure(over: AbortController, loops: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(
    loops.map((loop) =>
      loop.catch((error: unknown) => {
        over.abort();
        throw error;
      }),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function every(ms: number, signal: AbortSignal, step: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await step();
    await pause(ms, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Rings during work are remembered; one wait answers all of them. */
class Bell {
  private rung = false;
  private listener: (() => void) | undefined;

  ring(): void {
    this.rung = true;
    this.listener?.();
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (!this.rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done);
          this.listener = undefined;
          resolve();
        };
        this.listener = done;
        signal.addEventListener('abort', done, { once: true });
      });
    }
    this.rung = false;
  }
}
