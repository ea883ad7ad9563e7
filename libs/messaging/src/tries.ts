import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, type ErrorKind } from '@daya/kernel';
import { isUnavailable } from '@daya/postgres';

const BACKOFF_MS = { first: 20, max: 2_000 };
/** Refusals that no repetition changes. */
const FINAL: readonly ErrorKind[] = [
  'invalid',
  'not-found',
  'already-exists',
  'precondition',
  'denied',
  'unauthenticated',
];
/** Trouble of others that passes: it must not park every event meanwhile. */
const PASSING: readonly ErrorKind[] = ['unavailable', 'exhausted'];

export type TryOutcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown; readonly attempts: number }
  | { readonly kind: 'stopped' };

export const isPassing = (error: unknown): boolean =>
  error instanceof DomainError ? PASSING.includes(error.kind) : isUnavailable(error);

const isFinal = (error: unknown): boolean => error instanceof DomainError && FINAL.includes(error.kind);

/** How often work is tried, by what it throws. */
export class Tries {
  constructor(private readonly attemptsMax: number) {}

  /**
   * Final refusals fail at once, passing trouble is tried until it passes or `abandoned` says so, all else `attemptsMax`
   * times. Never throws.
   */
  async run<T>(work: () => Promise<T>, abandoned: () => boolean): Promise<TryOutcome<T>> {
    let attempts = 0;
    for (let round = 0; ; round += 1) {
      try {
        return { kind: 'done', value: await work() };
      } catch (error) {
        if (!isPassing(error)) attempts += 1;
        if (isFinal(error) || attempts >= this.attemptsMax) return { kind: 'failed', error, attempts };
      }
      if (abandoned()) return { kind: 'stopped' };
      await backoff(round);
    }
  }
}

const backoff = (round: number): Promise<void> =>
  sleep(Math.min(BACKOFF_MS.first * 2 ** Math.min(round, 10), BACKOFF_MS.max) * (0.5 + Math.random() / 2));
