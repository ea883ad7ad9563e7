import { Metadata, status } from '@grpc/grpc-js';
import { GrpcCallError } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import { AuthenticateApiKeyResponse } from '@daya/proto/registry';
import { KEY_CACHE_MS, KEY_GRACE_MS } from '../limits';
import { checksumOf, looksLikeApiKey } from './api-key';
import { KeyAuthority, KeyRing } from './key-ring';
import { KeyWatch } from './key-watch';
import { TokenBuckets } from './token-buckets';

const body = `daya_${'a'.repeat(11)}_${'b'.repeat(43)}`;
const KEY = `${body}_${checksumOf(body)}`;

class Registry extends KeyAuthority {
  asked = 0;
  answer: () => Promise<AuthenticateApiKeyResponse> = () => Promise.resolve(member(undefined));

  override authenticate(): Promise<AuthenticateApiKeyResponse> {
    this.asked += 1;
    return this.answer();
  }
}

const member = (expireTime: Date | undefined): AuthenticateApiKeyResponse => ({
  ...AuthenticateApiKeyResponse.fromPartial({ keyId: 'k', organisationId: 'o', role: 'member', scopes: ['b', 'a'] }),
  expireTime: expireTime === undefined ? undefined : toTimestamp(expireTime),
});
const unavailable = (): Promise<never> =>
  Promise.reject(new GrpcCallError(status.UNAVAILABLE, 'connect 10.0.0.1', new Metadata(), '/x'));
const unauthenticated = (): Promise<never> =>
  Promise.reject(new GrpcCallError(status.UNAUTHENTICATED, 'our token', new Metadata(), '/x'));
const notAKey = (): Promise<never> =>
  Promise.reject(new GrpcCallError(status.INVALID_ARGUMENT, 'no', new Metadata(), '/x'));

let nowMs = 1_000_000;
const clock = (): number => nowMs;
beforeEach(() => (nowMs = 1_000_000));

test('a key is known by its form and its checksum: any one wrong character gives it away', () => {
  expect(looksLikeApiKey(KEY)).toBe(true);
  for (let index = 0; index < KEY.length; index += 1) {
    const other = KEY[index] === 'x' ? 'y' : 'x';
    expect(looksLikeApiKey(KEY.slice(0, index) + other + KEY.slice(index + 1))).toBe(false);
  }
  for (const text of ['', 'daya_', `${KEY}_x`, ` ${KEY}`, KEY.toUpperCase()]) expect(looksLikeApiKey(text)).toBe(false);
});

test('an answer is used until its time is over, counted from the question', async () => {
  const registry = new Registry();
  const keys = new KeyRing(registry, clock);
  registry.answer = async () => {
    nowMs += 400;
    return member(undefined);
  };
  expect(await keys.authenticate(KEY)).toEqual({
    kind: 'member',
    organisationId: 'o',
    role: 'member',
    scopes: ['a', 'b'],
    keyId: 'k',
    operator: false,
  });
  nowMs += KEY_CACHE_MS - 401;
  await keys.authenticate(KEY);
  expect(registry.asked).toBe(1);
  nowMs += 1;
  await keys.authenticate(KEY);
  expect(registry.asked).toBe(2);
});

test('a key dies on its expiry, whatever is remembered of it', async () => {
  const registry = new Registry();
  const keys = new KeyRing(registry, clock);
  registry.answer = () => Promise.resolve(member(new Date(nowMs + 100)));
  await keys.authenticate(KEY);
  nowMs += 100;
  registry.answer = notAKey;
  await expect(keys.authenticate(KEY)).rejects.toMatchObject({ kind: 'unauthenticated', reason: 'API_KEY_INVALID' });
  expect(keys.wasGood(KEY)).toBe(false);
});

test('an outage, and our own identity refused, say nothing about a key and are not remembered', async () => {
  const registry = new Registry();
  const keys = new KeyRing(registry, clock);
  for (const answer of [unavailable, unauthenticated]) {
    registry.answer = answer;
    await expect(keys.authenticate(KEY)).rejects.toMatchObject({ kind: 'unavailable', reason: 'REGISTRY_UNAVAILABLE' });
  }
  registry.answer = () => Promise.resolve(member(undefined));
  await keys.authenticate(KEY);
  expect(registry.asked).toBe(3);
});

test('a stream outlives an outage of registry, but not for ever', async () => {
  jest.useFakeTimers();
  const registry = new Registry();
  const watch = new KeyWatch(new KeyRing(registry, clock), clock);
  await watch.start();
  const controller = new AbortController();
  watch.watch(KEY, controller);
  const seconds = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      nowMs += 1_000;
      await jest.advanceTimersByTimeAsync(1_000);
    }
  };
  await seconds(3);
  registry.answer = unavailable;
  await seconds(KEY_GRACE_MS / 1_000 - 5);
  expect(controller.signal.aborted).toBe(false);
  await seconds(10);
  expect(controller.signal.reason).toMatchObject({ reason: 'REGISTRY_UNAVAILABLE' });
  await watch.stop();
  jest.useRealTimers();
});

test('a bucket holds its burst, refills with time, and says when to come again', () => {
  const buckets = new TokenBuckets({ perSecond: 2, burst: 3 }, clock);
  expect([1, 2, 3].map(() => buckets.take('a').remaining)).toEqual([2, 1, 0]);
  expect(buckets.take('a')).toEqual({ allowed: false, limit: 3, remaining: 0, resetSeconds: 2, retrySeconds: 1 });
  expect(buckets.take('b').allowed).toBe(true);
  nowMs += 500;
  expect(buckets.take('a').allowed).toBe(true);
  nowMs += 3_600_000;
  expect(buckets.peek('a')).toMatchObject({ allowed: true, remaining: 3, resetSeconds: 0 });
  nowMs -= 10_000;
  expect(buckets.take('a').remaining).toBe(2);
});
