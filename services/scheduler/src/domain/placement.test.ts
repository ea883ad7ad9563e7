import * as fc from 'fast-check';
import { aNode, anOffer, aSpec, id } from '../../test/builders';
import { explain } from './explanation';
import type { JobSpec } from './job-spec';
import { Market } from './market';
import { choose, choosePinned } from './placement';
import { selectOffers } from './quote';
import { isFeasible, wantedOf, type Wanted } from './requirements';

const MODELS = ['rtx-4090', 'a100-80-sxm'];
const REGIONS = ['eu-central', 'us-east'];

const node = fc.record({
  gpus: fc.integer({ min: 0, max: 4 }),
  price: fc.bigInt({ min: 1n, max: 6n }),
  model: fc.constantFrom(...MODELS),
  region: fc.constantFrom(...REGIONS),
  online: fc.boolean(),
  schedulable: fc.boolean(),
  reliability: fc.constantFrom(9_000, 9_900),
  cpuMilli: fc.constantFrom(1_000, 4_000),
  emulated: fc.boolean(),
});

const wantedArbitrary = fc.record({
  gpuModelIds: fc.subarray(MODELS),
  gpuCount: fc.integer({ min: 1, max: 3 }),
  regions: fc.subarray(REGIONS),
  maxPriceMicrosPerGpuHour: fc.constantFrom(0n, 3n, 5n),
  minReliabilityBps: fc.constantFrom(0, 9_500),
  realGpusOnly: fc.boolean(),
  priceMicrosMax: fc.constantFrom(undefined, 2n, 4n, 6n),
});

function marketOf(nodes: readonly (typeof node extends fc.Arbitrary<infer N> ? N : never)[]): Market {
  const market = new Market();
  nodes.forEach((one, number) => {
    const made = aNode(number, one.gpus, {
      region: one.region,
      schedulable: one.schedulable,
      cpuMilli: one.cpuMilli,
      emulated: one.emulated,
    });
    market.putNode({ ...made, gpus: made.gpus.map((gpu) => ({ ...gpu, gpuModelId: one.model })) });
    market.putOffer(
      anOffer(number, one.price, { gpuModelId: one.model, region: one.region, reliabilityBps: one.reliability }),
    );
    market.setAvailable(id(7, number), one.online);
  });
  return market;
}

const wantedFrom = ({
  priceMicrosMax,
  ...requirements
}: typeof wantedArbitrary extends fc.Arbitrary<infer W> ? W : never): Wanted => {
  const spec: JobSpec = aSpec({ requirements: { ...aSpec().requirements, ...requirements } });
  return wantedOf(spec, priceMicrosMax);
};

test('no GPU is ever given twice, no place costs more than was quoted, and nothing cheaper was passed over', () => {
  fc.assert(
    fc.property(fc.array(node, { maxLength: 12 }), fc.array(wantedArbitrary, { maxLength: 20 }), (nodes, wants) => {
      const market = marketOf(nodes);
      const taken = new Set<string>();
      wants.forEach((want, number) => {
        const wanted = wantedFrom(want);
        const feasible = [...market.candidates(0)].filter((candidate) => isFeasible(candidate, wanted));
        const choice = choose(market, wanted, 0);
        expect(choice === undefined).toBe(feasible.length === 0);
        if (!choice) return;
        const price = choice.offer!.priceMicrosPerGpuHour;
        const cheapest = feasible
          .map(({ offer }) => offer.priceMicrosPerGpuHour)
          .reduce((least, one) => (one < least ? one : least));
        expect(price).toBe(cheapest);
        expect(price <= (wanted.priceMicrosMax ?? price)).toBe(true);
        expect(choice.gpus).toHaveLength(wanted.requirements.gpuCount);
        for (const { uuid } of choice.gpus) {
          expect(taken.has(uuid)).toBe(false);
          taken.add(uuid);
        }
        const { cpuMilli, memoryMib, scratchMib } = wanted.requirements;
        market.take({
          leaseId: `lease-${number}`,
          nodeId: choice.node.nodeId,
          gpuUuids: choice.gpus.map(({ uuid }) => uuid),
          cpuMilli,
          memoryMib,
          scratchMib,
        });
        const free = market.freeOf(choice.node.nodeId);
        expect(Math.min(free.cpuMilli, free.memoryMib, free.scratchMib)).toBeGreaterThanOrEqual(0);
      });
    }),
    { numRuns: 300 },
  );
});

test('an explanation adds up: every offer is feasible or removed by one requirement', () => {
  fc.assert(
    fc.property(fc.array(node, { maxLength: 15 }), wantedArbitrary, (nodes, want) => {
      const market = marketOf(nodes);
      const wanted = wantedFrom(want);
      const { offerCount, feasibleOfferCount, removed, cheapestPriceMicrosPerGpuHour } = explain(market, wanted, 0);
      expect(offerCount).toBe(nodes.length);
      expect(feasibleOfferCount + removed.reduce((sum, one) => sum + one.offerCount, 0)).toBe(offerCount);
      expect(cheapestPriceMicrosPerGpuHour).toBe(choose(market, wanted, 0)?.offer?.priceMicrosPerGpuHour ?? 0n);
    }),
    { numRuns: 300 },
  );
});

test('a quote gives every task a feasible offer, and as many at once as there is room for', () => {
  fc.assert(
    fc.property(
      fc.array(node, { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 1, max: 12 }),
      (nodes, taskCount) => {
        const market = marketOf(nodes);
        const spec = aSpec({ taskCount });
        if (![...market.candidates(0)].some((candidate) => isFeasible(candidate, wantedOf(spec)))) return;
        const quoted = selectOffers(market, spec, 0);
        expect(quoted.map(({ taskIndex }) => taskIndex)).toEqual(
          Array.from({ length: taskCount }, (_, index) => index),
        );
        const prices = quoted.map(({ priceMicrosPerGpuHour }) => priceMicrosPerGpuHour);
        // Each task can be placed at its price, one after the other, until the places are full.
        const placed = prices.map((price, number) => {
          const choice = choose(market, wantedOf(spec, price), 0);
          if (choice)
            market.take({
              leaseId: `l${number}`,
              nodeId: choice.node.nodeId,
              gpuUuids: choice.gpus.map(({ uuid }) => uuid),
              cpuMilli: 1_000,
              memoryMib: 512,
              scratchMib: 256,
            });
          return choice !== undefined;
        });
        expect(placed[0]).toBe(true);
        expect(placed.indexOf(false) === -1 || placed.indexOf(false) === placed.filter(Boolean).length).toBe(true);
      },
    ),
    { numRuns: 200 },
  );
});

test('among equal prices the more reliable wins, then the tighter fit', () => {
  const market = new Market();
  for (const [number, gpus, reliabilityBps] of [
    [1, 1, 9_000],
    [2, 4, 9_900],
    [3, 2, 9_900],
  ] as const) {
    market.putNode(aNode(number, gpus));
    market.putOffer(anOffer(number, 5n, { reliabilityBps }));
    market.setAvailable(id(7, number), true);
  }
  expect(choose(market, wantedOf(aSpec()), 0)?.node.nodeId).toBe(id(7, 3));
});

test('a canary goes to its node, admitted or not, and nowhere else', () => {
  const market = new Market();
  market.putNode(aNode(1, 1, { schedulable: false }));
  const wanted = wantedOf(aSpec());
  expect(choosePinned(market, id(7, 1), wanted, 0)).toBeUndefined();
  market.setAvailable(id(7, 1), true);
  expect(choose(market, wanted, 0)).toBeUndefined();
  expect(choosePinned(market, id(7, 1), wanted, 0)).toMatchObject({
    node: { nodeId: id(7, 1) },
    offer: undefined,
    gpus: [{ uuid: 'GPU-1-0' }],
  });
  expect(choosePinned(market, id(7, 2), wanted, 0)).toBeUndefined();
});

test('when all that fit are busy, a job is quoted at what will be free; when none fits it is refused', () => {
  const market = new Market();
  market.putNode(aNode(1, 1));
  market.putOffer(anOffer(1, 5n));
  market.setAvailable(id(7, 1), true);
  market.take({
    leaseId: 'l',
    nodeId: id(7, 1),
    gpuUuids: ['GPU-1-0'],
    cpuMilli: 1_000,
    memoryMib: 512,
    scratchMib: 256,
  });
  expect(selectOffers(market, aSpec(), 0)).toMatchObject([{ offerId: id(9, 1), priceMicrosPerGpuHour: 5n }]);
  const tooMany = aSpec({ requirements: { ...aSpec().requirements, gpuCount: 2 } });
  expect(() => selectOffers(market, tooMany, 0)).toThrow(
    expect.objectContaining({ reason: 'NO_FEASIBLE_OFFER' }) as Error,
  );
});

test('a node that cools down counts as busy: jobs are quoted at it and wait', () => {
  const market = new Market();
  market.putNode(aNode(1, 1));
  market.putOffer(anOffer(1, 5n));
  market.setAvailable(id(7, 1), true);
  market.coolDown(id(7, 1), 1_000);
  expect(choose(market, wantedOf(aSpec()), 999)).toBeUndefined();
  expect(explain(market, wantedOf(aSpec()), 999).removed).toEqual([{ requirement: 'BUSY', offerCount: 1 }]);
  expect(selectOffers(market, aSpec(), 999)).toHaveLength(1);
  expect(choose(market, wantedOf(aSpec()), 1_000)).toBeDefined();
});

test('an older version of an offer or node changes nothing', () => {
  const market = new Market();
  market.putNode(aNode(1, 2, { version: 2n }));
  market.putNode(aNode(1, 1, { version: 1n }));
  market.putOffer(anOffer(1, 5n, { version: 2n }));
  market.putOffer(anOffer(1, 1n, { version: 1n }));
  market.setAvailable(id(7, 1), true);
  expect([...market.candidates(0)]).toMatchObject([{ offer: { priceMicrosPerGpuHour: 5n }, free: { gpus: [{}, {}] } }]);
});
