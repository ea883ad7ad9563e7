import { aNode, anOffer, id } from '../../test/builders';
import { Market, type Occupation } from './market';

const NODE = id(7, 1);

function aMarket(): Market {
  const market = new Market();
  market.putNode(aNode(1, 2, { cpuMilli: 4_000, memoryMib: 2_048, scratchMib: 1_024 }));
  market.putOffer(anOffer(1, 5n));
  market.setAvailable(NODE, true);
  return market;
}

const anOccupation = (leaseId: string, gpu: number): Occupation => ({
  leaseId,
  nodeId: NODE,
  gpuUuids: [`GPU-1-${gpu}`],
  cpuMilli: 1_000,
  memoryMib: 48,
  scratchMib: 24,
});

test('a lease takes its GPUs and its share of the node, once, and gives back all of it, once', () => {
  const market = aMarket();
  market.take(anOccupation('a', 0));
  market.take(anOccupation('a', 0));
  expect(market.freeOf(NODE)).toMatchObject({ cpuMilli: 3_000, memoryMib: 2_000, scratchMib: 1_000 });
  expect(market.freeOf(NODE).gpus.map(({ uuid }) => uuid)).toEqual(['GPU-1-1']);
  expect(() => market.take(anOccupation('b', 0))).toThrow('is taken by lease a');
  market.release('nobody');
  market.release('a');
  market.release('a');
  expect(market.freeOf(NODE)).toMatchObject({ cpuMilli: 4_000, memoryMib: 2_048, scratchMib: 1_024 });
  market.take(anOccupation('b', 0));
});

test('what is taken of a node that nobody knows yet is taken once it is known', () => {
  const market = new Market();
  market.take(anOccupation('a', 1));
  expect(market.freeOf(NODE).gpus).toEqual([]);
  market.setAvailable(NODE, true);
  market.putNode(aNode(1, 2));
  expect(market.isAvailable(NODE, 0)).toBe(true);
  expect(market.freeOf(NODE).gpus.map(({ uuid }) => uuid)).toEqual(['GPU-1-0']);
});

test('older news of nodes and offers change nothing, the same version again neither', () => {
  const market = aMarket();
  market.putNode(aNode(1, 1, { version: 3n }));
  market.putNode(aNode(1, 2, { version: 2n }));
  expect(market.node(NODE)?.gpus).toHaveLength(1);
  expect(market.freeOf(NODE).gpus).toHaveLength(1);
  const prices = (): bigint[] => [...market.candidates(0)].map(({ offer }) => offer.priceMicrosPerGpuHour);
  market.putOffer(anOffer(1, 9n, { version: 3n }));
  market.putOffer(anOffer(1, 1n, { version: 2n }));
  expect(prices()).toEqual([9n]);
  market.putOffer(anOffer(1, 9n, { version: 4n, open: false }));
  expect(prices()).toEqual([]);
});

test('a node that cools down is there but takes nothing until it has; a silent one takes nothing', () => {
  const market = aMarket();
  market.coolDown(NODE, 100);
  market.coolDown('nobody', 100);
  expect([market.isAvailable(NODE, 99), market.isAvailable(NODE, 100)]).toEqual([false, true]);
  const gpusAt = (nowMs: number): number[] => [...market.candidates(nowMs)].map(({ free }) => free.gpus.length);
  expect([gpusAt(99), gpusAt(100)]).toEqual([[0], [2]]);
  market.setAvailable(NODE, false);
  expect(market.isAvailable(NODE, 100)).toBe(false);
  expect(market.isAvailable('nobody', 100)).toBe(false);
});

test('offers stand cheapest first, equal ones by their ids; those of unknown nodes are left out', () => {
  const market = aMarket();
  for (const [number, price] of [
    [4, 5n],
    [2, 7n],
    [3, 4n],
  ] as const) {
    market.putNode(aNode(number, 1));
    market.putOffer(anOffer(number, price));
  }
  market.putOffer(anOffer(9, 1n));
  expect([...market.candidates(0)].map(({ offer }) => offer.offerId)).toEqual([3, 1, 4, 2].map((n) => id(9, n)));
});
