import * as fc from 'fast-check';
import { declaredAddresses, deviceFactsOf, onlineSlots, type NodeVersion } from './device-facts';

const time = { startMs: 0, endMs: 12_000 };
const change = (changeTimeMs: number, online: boolean): { changeTimeMs: number; online: boolean } => ({
  changeTimeMs,
  online,
});

test.each([
  ['always online', [change(-5, true)], '111111111111'],
  ['online from the very start', [change(0, true)], '111111111111'],
  ['came inside a slot', [change(2_500, true)], '000111111111'],
  ['away for a moment', [change(-5, true), change(4_999, false), change(5_000, true)], '111101111111'],
  ['away over a border', [change(-5, true), change(4_999, false), change(5_001, true)], '111100111111'],
  ['left at the end', [change(-5, true), change(12_000, false)], '111111111111'],
  ['offline throughout', [change(-5, false)], '000000000000'],
  ['unknown', [], '000000000000'],
])('slots: %s', (_name, history, slots) => {
  expect(onlineSlots(history, 12_000, time)).toBe(slots);
});

test('a node’s slots end with its revocation', () => {
  expect(onlineSlots([change(-5, true)], 3_000, time)).toBe('111000000000');
});

test('a slot is ok exactly when every moment of it was online', () => {
  const history = fc.array(fc.record({ changeTimeMs: fc.integer({ min: -10, max: 130 }), online: fc.boolean() }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(history, (changes) => {
      const sorted = [...changes].sort((a, b) => a.changeTimeMs - b.changeTimeMs);
      const at = (ms: number): boolean => sorted.filter((row) => row.changeTimeMs <= ms).at(-1)?.online ?? false;
      const moments = (slot: number): number[] => Array.from({ length: 20 }, (_, step) => slot * 10 + step / 2);
      const expected = Array.from({ length: 12 }, (_, slot) => (moments(slot).every(at) ? '1' : '0')).join('');
      expect(onlineSlots(sorted, 120, { startMs: 0, endMs: 120 })).toBe(expected);
    }),
    { numRuns: 500 },
  );
});

const aVersion = (over: Partial<NodeVersion>): NodeVersion => ({
  nodeId: 'n',
  version: 1n,
  changeTimeMs: -5,
  providerId: 'p',
  rewardAddress: '',
  region: 'eu',
  emulated: false,
  online: true,
  ineligibleReason: '',
  gpus: [{ gpuClass: 'l4', count: 3, mscuPerGpu: 500 }],
  ...over,
});

test('a device is a node’s GPUs of one class, as they were at the end', () => {
  const versions = [
    aVersion({}),
    aVersion({
      version: 2n,
      changeTimeMs: 6_000,
      gpus: [
        { gpuClass: 'l4', count: 1, mscuPerGpu: 500 },
        { gpuClass: 'h100', count: 2, mscuPerGpu: 3_000 },
      ],
    }),
  ];
  const facts = deviceFactsOf('DAYA', versions, new Map(), new Set(['n/l4']), time);
  expect(facts.map((row) => [row.device, row.gpuCount, row.ineligibleReason])).toEqual([
    ['n/l4', 1n, ''],
    ['n/h100', 2n, 'NOT_OFFERED'],
  ]);
  expect(deviceFactsOf('DAYA_TEST', versions, new Map(), new Set(), time)).toEqual([]);
});

test('of a provider’s addresses the last declared one holds, whichever node repeats it', () => {
  const versions = [
    aVersion({ nodeId: 'a', changeTimeMs: 9, rewardAddress: '0xnew' }),
    aVersion({ nodeId: 'b', changeTimeMs: 3, rewardAddress: '0xold' }),
  ];
  expect(declaredAddresses(versions)).toEqual(new Map([['p', '0xnew']]));
});
