import { DomainError, isUuid } from '@daya/kernel';
import * as fc from 'fast-check';
import { BatchQueue } from './batch-queue';
import { faultOfBlock, lastSequenceOf } from './block-rules';
import type { Artifact, Report } from './frames';
import { partsOfManifest } from './image-manifest';
import { names, refuseForeign, refuseUnheld, type LeasePermit } from './lease-permit';
import { MissedOffers } from './missed-offers';
import { queueNames } from './queue-names';
import { RateLimit } from './rate-limit';
import { faultOf } from './report-rules';
import { isArtifactPath, isSha256 } from './shapes';
import { Slots } from './slots';

const ID = '0197a0a0-0000-7000-8000-000000000001';
const OTHER = '0197a0a0-0000-7000-8000-000000000002';
const SHA = 'a'.repeat(64);
const reasonOf = (work: () => unknown): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof DomainError ? error.reason : String(error);
  }
};

test('paths of artifacts are plain relative names', () => {
  for (const good of ['a', 'frames/0001.png', 'x/.hidden', '…/ü.json'])
    expect([good, isArtifactPath(good)]).toEqual([good, true]);
  const bad = [
    '',
    '/',
    '/etc/passwd',
    '..',
    '../x',
    'a/../b',
    'a/./b',
    'a//b',
    'a/',
    './a',
    'a\\b',
    'a\0b',
    'a\nb',
    '\ud800',
    'x'.repeat(1_025),
  ];
  for (const path of bad) expect([path, isArtifactPath(path)]).toEqual([path, false]);
});

test('no accepted path leaves its folder', () => {
  const piece = fc.constantFrom('..', '.', '', 'a', '/', '\\', 'b', '\0');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const path = pieces.join('/');
      if (!isArtifactPath(path)) return;
      const resolved = new URL(path.split('/').map(encodeURIComponent).join('/'), 'file:///root/').pathname;
      expect(resolved.startsWith('/root/')).toBe(true);
    }),
  );
});

test('ids and hashes have one spelling', () => {
  expect([isUuid(ID), isUuid(ID.toUpperCase()), isUuid(`${ID}/..`), isUuid('')]).toEqual([true, false, false, false]);
  expect([isSha256(SHA), isSha256('A'.repeat(64)), isSha256(`${SHA}\n`), isSha256('../../etc/passwd')]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

const anExit = (artifacts: readonly Artifact[], rest: Partial<Report> = {}): Report => ({
  reportId: ID,
  leaseId: ID,
  leaseToken: 1n,
  body: { kind: 'exited', exitCode: 0, reason: 'EXITED', cumulativeMs: 1n, artifacts },
  ...rest,
});

test('a broken report has a typed fault', () => {
  const file = { path: 'a', bytes: 1n, sha256: SHA };
  expect(faultOf(anExit([file]))).toBeUndefined();
  expect(faultOf(anExit([{ ...file, path: '../a' }]))).toBe('ARTIFACT_PATH_INVALID');
  expect(faultOf(anExit([file, file]))).toBe('ARTIFACT_PATH_REPEATED');
  expect(faultOf(anExit([{ ...file, sha256: '../../x' }]))).toBe('ARTIFACT_HASH_INVALID');
  expect(faultOf(anExit([{ ...file, bytes: -1n }]))).toBe('ARTIFACT_HASH_INVALID');
  expect(faultOf(anExit(Array.from({ length: 1_001 }, (_, index) => ({ ...file, path: `f${index}` }))))).toBe(
    'ARTIFACTS_TOO_MANY',
  );
  for (const bad of [{ reportId: 'x' }, { leaseId: '' }, { leaseToken: 0n }, { body: undefined }]) {
    expect(faultOf(anExit([], bad))).toBe('REPORT_INVALID');
  }
  expect(faultOf(anExit([], { body: { kind: 'refused', reason: 'not upper snake' } }))).toBe('REPORT_INVALID');
});

test('a usage block speaks of its own node, in a gapless range', () => {
  const block = { nodeId: ID, bootId: ID, firstSequence: 5n, tickCount: 3 };
  expect(faultOfBlock(block, ID)).toBeUndefined();
  expect(lastSequenceOf(block)).toBe(7n);
  expect(faultOfBlock(undefined, ID)).toBe('BLOCK_NOT_DECODABLE');
  expect(faultOfBlock(block, OTHER)).toBe('BLOCK_OF_ANOTHER_NODE');
  for (const bad of [{ tickCount: 0 }, { tickCount: 2_001 }, { firstSequence: 0n }, { bootId: '' }]) {
    expect(faultOfBlock({ ...block, ...bad }, ID)).toBe('BLOCK_INVALID');
  }
});

test('only the holder of a lease with its token passes; a foreign lease looks like a missing one', () => {
  const permit: LeasePermit = {
    leaseId: ID,
    nodeId: ID,
    leaseToken: 7n,
    organisationId: ID,
    manifestSha256: SHA,
    inputs: ['b'.repeat(64)],
    ended: false,
  };
  expect(refuseUnheld(permit, ID, 7n)).toBe(permit);
  expect(reasonOf(() => refuseUnheld(undefined, ID, 7n))).toBe('LEASE_NOT_FOUND');
  expect(reasonOf(() => refuseUnheld(permit, OTHER, 7n))).toBe('LEASE_NOT_FOUND');
  expect(reasonOf(() => refuseUnheld(permit, ID, 6n))).toBe('LEASE_TOKEN_STALE');
  expect(reasonOf(() => refuseUnheld({ ...permit, ended: true }, ID, 7n))).toBe('LEASE_ENDED');
  expect(refuseForeign({ ...permit, ended: true }, ID, 7n).ended).toBe(true);
  expect([names(permit, SHA), names(permit, 'b'.repeat(64)), names(permit, 'c'.repeat(64))]).toEqual([
    true,
    true,
    false,
  ]);
});

test('a manifest names its config and layers, an index its manifests, anything else nothing', () => {
  const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const digest = (digit: string) => ({ digest: `sha256:${digit.repeat(64)}` });
  expect(partsOfManifest(json({ config: digest('1'), layers: [digest('2'), { digest: 'sha256:../x' }] }))).toEqual({
    manifests: [],
    blobs: ['1'.repeat(64), '2'.repeat(64)],
  });
  expect(partsOfManifest(json({ manifests: [digest('3')] }))).toEqual({ manifests: ['3'.repeat(64)], blobs: [] });
  for (const bad of [
    json(null),
    json([]),
    json({ layers: 'x' }),
    new Uint8Array([255]),
    new TextEncoder().encode('{'),
  ]) {
    expect(partsOfManifest(bad)).toEqual({ manifests: [], blobs: [] });
  }
});

test('batches keep the order, their bounds, and lose nothing', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(20), fc.nat(15)), { maxLength: 100 });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 7 }), fc.nat(30), (list, itemsMax, delayMs) => {
      const queue = new BatchQueue<number>({ itemsMax, delayMs, bytesMax: 12, queuedMax: 20 });
      const taken: number[] = [];
      let [nowMs, next, accepted] = [0, 0, 0];
      const weights: number[] = [];
      for (const [isOffer, waitMs, bytes] of list) {
        nowMs += waitMs;
        if (isOffer) {
          const room = queue.size < 20;
          expect(queue.offer(next, bytes, nowMs)).toBe(room);
          if (room) {
            [next, accepted] = [next + 1, accepted + 1];
            weights.push(bytes);
          }
          continue;
        }
        const due = queue.dueAtMs();
        const batch = queue.take(nowMs);
        expect(batch.length > 0).toBe(due !== undefined && due <= nowMs);
        expect(batch.length).toBeLessThanOrEqual(itemsMax);
        const weight = batch.reduce((sum, item) => sum + (weights[item] ?? 0), 0);
        expect(batch.length <= 1 || weight <= 12).toBe(true);
        taken.push(...batch);
      }
      expect([...taken, ...queue.clear()]).toEqual(Array.from({ length: accepted }, (_, index) => index));
    }),
  );
});

test('no address gets more than its burst and its rate', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { maxLength: 200 }), (waits) => {
      const rate = new RateLimit({ burst: 5, perMinute: 60 });
      let [nowMs, passed] = [0, 0];
      for (const waitMs of waits) {
        nowMs += waitMs;
        if (rate.take('10.0.0.1', nowMs) === 0) passed += 1;
        expect(passed).toBeLessThanOrEqual(5 + nowMs / 1_000 + 1e-6);
      }
    }),
  );
  const rate = new RateLimit({ burst: 1, perMinute: 60 });
  expect([rate.take('a', 0), rate.take('a', 0), rate.take('b', 0), rate.take('a', 1_000)]).toEqual([0, 1_000, 0, 0]);
});

test('no more than 50,000 addresses are remembered: those that are full again are forgotten first, then all', () => {
  const minute = 60_000;
  const limit = new RateLimit({ burst: 1, perMinute: 1 });
  for (let index = 0; index < 49_999; index += 1) limit.take(`old-${index}`, 0);
  expect(limit.take('greedy', minute - 1)).toBe(0);
  expect(limit.take('stranger', minute)).toBe(0);
  expect(limit.take('greedy', minute)).toBe(minute - 1);
  const crowded = new RateLimit({ burst: 1, perMinute: 1 });
  for (let index = 0; index < 50_000; index += 1) crowded.take(`new-${index}`, 0);
  expect(crowded.take('new-0', 1)).toBe(minute - 1);
  expect(crowded.take('stranger', 1)).toBe(0);
  expect(crowded.take('new-0', 1)).toBe(0);
});

test('missed offers are kept for a while, within a bound', () => {
  const missed = new MissedOffers(1_000, 3);
  missed.add('n', 'l1', 0);
  missed.add('n', 'l1', 100);
  missed.add('n', 'l2', 900);
  expect(missed.size).toBe(2);
  expect(missed.take('n', 1_200)).toEqual(['l2']);
  expect([missed.take('n', 1_200), missed.size]).toEqual([[], 0]);
  for (let index = 0; index < 10; index += 1) missed.add(`n${index}`, 'l', 0);
  expect([missed.size, missed.take('n0', 0), missed.take('n9', 0)]).toEqual([3, [], ['l']]);
});

test('queues are named by two hexadecimal digits', () => {
  expect(queueNames(2)).toEqual(['dispatch-00', 'dispatch-01']);
  expect(queueNames(256).at(-1)).toBe('dispatch-ff');
  for (const bad of [0, 3, 512, 1.5]) expect(() => queueNames(bad)).toThrow('power of two');
});

test('slots are bounded in all and for one owner, and given back once', () => {
  const slots = new Slots('FULL', 2, 1);
  const release = slots.take('a');
  expect(reasonOf(() => slots.take('a'))).toBe('FULL');
  slots.take('b');
  expect(reasonOf(() => slots.take('c'))).toBe('FULL');
  release();
  release();
  slots.take('c');
  expect(reasonOf(() => slots.take('a'))).toBe('FULL');
});
