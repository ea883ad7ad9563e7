import { violationsOf } from '../../test/violations-of';
import {
  assertScopesWithin,
  assertUsable,
  checkExpireTime,
  checkScopes,
  KEY_LIFE_MAX_MS,
  SCOPES,
  shown,
} from './api-key';
import type { ApiKey } from './api-key';
import { assertEmulationAllowed, assertHonestDriver, useOf, type EnrolmentToken } from './enrolment';
import { Fields } from './fields';

const NOW = new Date('2026-01-01T00:00:00Z');
const after = (ms: number): Date => new Date(NOW.getTime() + ms);

const aKey = (overrides: Partial<ApiKey> = {}): ApiKey => ({
  keyId: 'k',
  organisationId: 'o',
  displayName: 'key',
  prefix: 'p',
  role: 'member',
  scopes: [],
  createTime: NOW,
  expireTime: after(1),
  revokeTime: undefined,
  ...overrides,
});

const aToken = (overrides: Partial<EnrolmentToken> = {}): EnrolmentToken => ({
  tokenId: 't',
  prefix: 'p',
  organisationId: 'o',
  providerId: 'p',
  displayName: 'node',
  region: 'eu',
  emulated: false,
  secretHash: 'h',
  createTime: NOW,
  expireTime: after(1),
  nodeId: undefined,
  requestHash: undefined,
  ...overrides,
});

test('scopes are known words, each named once, not more than there are', () => {
  const check = (scopes: readonly string[]): string[] => violationsOf((fields) => checkScopes(fields, scopes));
  expect(check([])).toEqual([]);
  expect(check(SCOPES)).toEqual([]);
  expect(check(['jobs:read', 'jobs:all'])).toEqual(['scopes[1] UNKNOWN_VALUE']);
  expect(check(['jobs:read', 'jobs:read'])).toEqual(['scopes[1] DUPLICATE']);
  expect(check([...SCOPES, 'jobs:read'])).toEqual(['scopes TOO_MANY']);
});

test('a key lives from now on and a year at most; unset means a year', () => {
  const check = (time: Date): string[] => violationsOf((fields) => checkExpireTime(fields, time, NOW));
  expect(checkExpireTime(new Fields(), undefined, NOW)).toEqual(after(KEY_LIFE_MAX_MS));
  expect(checkExpireTime(new Fields(), after(5), NOW)).toEqual(after(5));
  expect(check(after(1))).toEqual([]);
  expect(check(after(KEY_LIFE_MAX_MS))).toEqual([]);
  expect(check(NOW)).toEqual(['expire_time OUT_OF_RANGE']);
  expect(check(after(KEY_LIFE_MAX_MS + 1))).toEqual(['expire_time OUT_OF_RANGE']);
  expect(check(new Date(Number.NaN))).toEqual(['expire_time MALFORMED']);
});

test('a key is usable until the moment it expires, and not once it is revoked', () => {
  expect(() => assertUsable(aKey(), NOW)).not.toThrow();
  expect(() => assertUsable(aKey(), after(1))).toThrow('expired');
  expect(() => assertUsable(aKey({ revokeTime: NOW }), NOW)).toThrow('revoked');
});

test('no key allows more than the one that made it, and none shows its hash', () => {
  expect(() => assertScopesWithin(['a', 'b'], ['b'])).not.toThrow();
  expect(() => assertScopesWithin(['a'], ['a', 'b'])).toThrow('lacks the scope');
  expect(shown({ ...aKey(), secretHash: 'secret' })).toEqual(aKey());
});

test('an enrolment token works once, in its time; the very same request is answered again', () => {
  expect(useOf(aToken(), 'mine', NOW)).toBe('first');
  expect(() => useOf(aToken(), 'mine', after(1))).toThrow('expired');
  const used = aToken({ nodeId: 'n', requestHash: 'mine' });
  expect(useOf(used, 'mine', after(9))).toBe('repeat');
  expect(useOf(used, 'other', NOW)).toBe('reuse');
});

test('declared GPUs are for nodes and platforms that say so', () => {
  expect(() => assertEmulationAllowed(true, true)).not.toThrow();
  expect(() => assertEmulationAllowed(false, false)).not.toThrow();
  expect(() => assertEmulationAllowed(true, false)).toThrow('real GPUs only');
  expect(() => assertHonestDriver(true, 'EMULATED')).not.toThrow();
  expect(() => assertHonestDriver(false, '550.54')).not.toThrow();
  expect(() => assertHonestDriver(false, 'EMULATED')).toThrow('declares its GPUs');
});
