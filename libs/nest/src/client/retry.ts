import { status } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { callErrorOf, type GrpcCallError } from './call-error';

export const MAX_ATTEMPTS = 4;
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1_000;
/** A peer that is down costs each client this many retries at once, and one for ten good calls after that. */
const BUDGET_TOKENS = 20;
const TOKENS_PER_SUCCESS = 0.1;

/** Keeps retries from multiplying the load on a peer that is in trouble. */
export class RetryBudget {
  private tokens = BUDGET_TOKENS;

  succeeded(): void {
    this.tokens = Math.min(BUDGET_TOKENS, this.tokens + TOKENS_PER_SUCCESS);
  }

  /** True when a retry may be made; it is then paid for. */
  take(): boolean {
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}

export interface RetryOptions {
  readonly path: string;
  readonly deadlineMs: number;
  readonly budget: RetryBudget;
  readonly signal: AbortSignal | undefined;
  /** In [0, 1). */
  random(): number;
}

/** Full jitter: anywhere between nothing and twice the step, so that clients do not come back together. */
export const delayMs = (attempt: number, random: number): number =>
  Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * 2 * random;

/**
 * Repeats UNAVAILABLE only, within the deadline and the budget. That is safe because every mutation has a request id, or
 * another name under which its repetition is known (docs/adr/0016).
 */
export async function withRetries<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  for (let tried = 0; ; tried += 1) {
    try {
      const result = await attempt();
      options.budget.succeeded();
      return result;
    } catch (cause) {
      const error = callErrorOf(cause, options.path);
      const waitMs = delayMs(tried, options.random());
      if (!mayRetry(error, tried, waitMs, options)) throw error;
      await sleep(waitMs, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(
        () => undefined,
      );
      if (options.signal?.aborted === true) throw error;
    }
  }
}

function mayRetry(error: GrpcCallError, tried: number, waitMs: number, { deadlineMs, budget }: RetryOptions): boolean {
  if (error.code !== status.UNAVAILABLE || tried + 1 >= MAX_ATTEMPTS) return false;
  return Date.now() + waitMs < deadlineMs && budget.take();
}
