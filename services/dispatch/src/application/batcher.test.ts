import { DomainError } from '@daya/kernel';
import * as fc from 'fast-check';
import { Batcher } from './batcher';

const limits = { itemsMax: 4, delayMs: 0, bytesMax: 100, queuedMax: 100, inFlight: 1 };
const nowMs = (): number => Date.now();
const unavailable = new DomainError('unavailable', 'DOWN', 'down');

test('items travel together, in order, one call at a time, each with its own answer', async () => {
  const calls: number[][] = [];
  let inFlight = 0;
  const batcher = new Batcher<number, number>(
    limits,
    async (items) => {
      inFlight += 1;
      expect(inFlight).toBe(1);
      calls.push([...items]);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inFlight -= 1;
      return items.map((item) => item * 10);
    },
    nowMs,
  );
  const items = Array.from({ length: 10 }, (_, index) => index);
  expect(await Promise.all(items.map((item) => batcher.add(item, 1)))).toEqual(items.map((item) => item * 10));
  expect(calls.flat()).toEqual(items);
  expect(calls.every((call) => call.length <= 4)).toBe(true);
});

test('a failed call fails what waits behind it, and later items go on', async () => {
  let failures = 1;
  const batcher = new Batcher<number, number>(
    { ...limits, itemsMax: 1 },
    async (items) => {
      await Promise.resolve();
      if (failures-- > 0) throw unavailable;
      return items;
    },
    nowMs,
  );
  const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.add(item, 1)));
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await batcher.add(4, 1)).toBe(4);
});

test('items that the peer does not understand fail alone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 12 }), async (flags) => {
      const batcher = new Batcher<boolean, string>(
        { ...limits, itemsMax: 8 },
        async (items) => {
          await Promise.resolve();
          if (items.includes(false)) throw new DomainError('invalid', 'BAD', 'bad');
          return items.map(() => 'ok');
        },
        nowMs,
      );
      const results = await Promise.allSettled(flags.map((flag) => batcher.add(flag, 1)));
      expect(results.map(({ status }) => status === 'fulfilled')).toEqual(flags);
    }),
    { numRuns: 30 },
  );
});

test('a full queue refuses, and a peer that answers too little fails the call', async () => {
  const full = new Batcher<number, number>(
    { ...limits, queuedMax: 1, delayMs: 20 },
    (items) => Promise.resolve(items),
    nowMs,
  );
  const first = full.add(1, 1);
  await expect(full.add(2, 1)).rejects.toMatchObject({ reason: 'BATCH_QUEUE_FULL' });
  expect(await first).toBe(1);
  const short = new Batcher<number, number>(limits, () => Promise.resolve([]), nowMs);
  await expect(short.add(1, 1)).rejects.toThrow('answered by 0 results');
});
