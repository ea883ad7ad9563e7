import { Metadata, status as codes } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { GrpcCallError } from '../src/index';
import { delayMs, MAX_ATTEMPTS, RetryBudget, withRetries } from '../src/client/retry';

const failure = (code: codes): GrpcCallError => new GrpcCallError(code, 'no', new Metadata(), '/x');
const options = (budget = new RetryBudget(), deadlineMs = Date.now() + 60_000) => ({
  path: '/x',
  deadlineMs,
  budget,
  signal: undefined,
  random: () => 0,
});

async function attempts(code: codes, using = options()): Promise<number> {
  let made = 0;
  await withRetries(using, () => {
    made += 1;
    return Promise.reject(failure(code));
  }).catch(() => undefined);
  return made;
}

test('UNAVAILABLE is tried again a few times, everything else never', async () => {
  expect(await attempts(codes.UNAVAILABLE)).toBe(MAX_ATTEMPTS);
  for (const code of [
    codes.INTERNAL,
    codes.DEADLINE_EXCEEDED,
    codes.ABORTED,
    codes.RESOURCE_EXHAUSTED,
    codes.CANCELLED,
  ]) {
    expect(await attempts(code)).toBe(1);
  }
});

test('a success after a failure is the answer', async () => {
  let made = 0;
  const answer = await withRetries(options(), () => {
    made += 1;
    return made < 3 ? Promise.reject(failure(codes.UNAVAILABLE)) : Promise.resolve('done');
  });
  expect(answer).toBe('done');
});

test('a peer that stays down costs a budget, not four times every call', async () => {
  const budget = new RetryBudget();
  let made = 0;
  for (let call = 0; call < 100; call += 1) made += await attempts(codes.UNAVAILABLE, options(budget));
  expect(made).toBe(100 + 20);
});

test('no attempt starts after the deadline', async () => {
  expect(await attempts(codes.UNAVAILABLE, options(new RetryBudget(), Date.now() - 1))).toBe(1);
});

test('the delay is jittered from nothing up to a bound', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
      const ms = delayMs(attempt, random);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThan(2_000);
    }),
  );
  expect(delayMs(3, 0)).toBe(0);
});
