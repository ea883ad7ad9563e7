import { DomainError, type ErrorKind } from '@daya/kernel';
import { Tries } from './tries';

const never = (): boolean => false;
const refusal = (kind: ErrorKind): DomainError => new DomainError(kind, 'REASON', 'text');

async function triesUntil(
  error: unknown,
  succeedAt: number,
  attemptsMax = 3,
): Promise<{ kind: string; calls: number }> {
  let calls = 0;
  const outcome = await new Tries(attemptsMax).run(() => {
    calls += 1;
    return calls >= succeedAt ? Promise.resolve('done') : Promise.reject(error as Error);
  }, never);
  return { kind: outcome.kind, calls };
}

test.each(['invalid', 'not-found', 'already-exists', 'precondition', 'denied', 'unauthenticated'] as const)(
  '%s fails at the first try',
  async (kind) => {
    expect(await triesUntil(refusal(kind), 2)).toEqual({ kind: 'failed', calls: 1 });
  },
);

test.each(['unavailable', 'exhausted'] as const)('%s is tried until it passes', async (kind) => {
  expect(await triesUntil(refusal(kind), 5)).toEqual({ kind: 'done', calls: 5 });
});

test('bugs and lost races are tried a limited number of times', async () => {
  expect(await triesUntil(new Error('bug'), 3)).toEqual({ kind: 'done', calls: 3 });
  expect(await triesUntil(new Error('bug'), 9)).toEqual({ kind: 'failed', calls: 3 });
  expect(await triesUntil(refusal('aborted'), 9)).toEqual({ kind: 'failed', calls: 3 });
});

test('who is stopped gives up without a verdict', async () => {
  const outcome = await new Tries(3).run(
    () => Promise.reject(refusal('unavailable')),
    () => true,
  );
  expect(outcome).toEqual({ kind: 'stopped' });
});
