import { aNode, anOffer, aSpec, id } from '../../test/builders';
import { explain } from './explanation';
import type { Requirements } from './job-spec';
import { Market, type MarketNode, type MarketOffer } from './market';
import { selectOffers } from './quote';
import { firstFailed, isFeasibleWhenFree, REQUIREMENT_NAMES, slotsFree, wantedOf, type Wanted } from './requirements';

const NODE: Partial<MarketNode> = { cpuMilli: 4_000, memoryMib: 2_048, scratchMib: 1_024 };
const OFFER: Partial<MarketOffer> = { reliabilityBps: 9_000, minRentalSeconds: 30, maxRentalSeconds: 90 };

interface Change {
  readonly node?: Partial<MarketNode>;
  readonly offer?: Partial<MarketOffer>;
  readonly wanted?: Partial<Requirements>;
  readonly more?: Partial<Wanted>;
  readonly offline?: boolean;
  readonly busy?: boolean;
}

/** A market of one node with two GPUs that fits exactly, but for the change. */
function marketOf({ node, offer, offline, busy }: Change): Market {
  const market = new Market();
  const made = aNode(1, 2, { ...NODE, ...node });
  market.putNode(made);
  market.putOffer(anOffer(1, 5n, { ...OFFER, ...offer }));
  market.setAvailable(id(7, 1), !offline);
  if (busy) {
    const gpuUuids = [made.gpus[0]?.uuid ?? ''];
    market.take({ leaseId: 'l', nodeId: made.nodeId, gpuUuids, cpuMilli: 0, memoryMib: 0, scratchMib: 0 });
  }
  return market;
}

const wantedFor = ({ wanted, more }: Change): Wanted => ({
  ...wantedOf(
    aSpec({
      requirements: {
        ...aSpec().requirements,
        gpuModelIds: ['rtx-4090'],
        gpuCount: 2,
        minVramMib: 24_564,
        cpuMilli: 4_000,
        memoryMib: 2_048,
        scratchMib: 1_024,
        regions: ['eu-central'],
        maxPriceMicrosPerGpuHour: 5n,
        minReliabilityBps: 9_000,
        ...wanted,
      },
    }),
    5n,
  ),
  ...more,
});

function failed(change: Change): string | undefined {
  const [candidate] = marketOf(change).candidates(0);
  if (candidate === undefined) throw new Error('the market is empty');
  return firstFailed(candidate, wantedFor(change));
}

test.each<[string | undefined, Change]>([
  [undefined, {}],
  ['GPU_MODEL', { wanted: { gpuModelIds: ['a100-80-sxm'] } }],
  [undefined, { wanted: { gpuModelIds: [] } }],
  ['GPU_COUNT', { wanted: { gpuCount: 3 } }],
  ['VRAM', { wanted: { minVramMib: 24_565 } }],
  ['CPU', { wanted: { cpuMilli: 4_001 } }],
  ['MEMORY', { wanted: { memoryMib: 2_049 } }],
  ['SCRATCH', { wanted: { scratchMib: 1_025 } }],
  ['REGION', { wanted: { regions: ['us-east'] } }],
  [undefined, { wanted: { regions: [] } }],
  ['PRICE', { wanted: { maxPriceMicrosPerGpuHour: 4n } }],
  ['PRICE', { more: { priceMicrosMax: 4n } }],
  [undefined, { wanted: { maxPriceMicrosPerGpuHour: 0n }, more: { priceMicrosMax: undefined } }],
  ['RELIABILITY', { wanted: { minReliabilityBps: 9_001 } }],
  ['REAL_GPUS', { wanted: { realGpusOnly: true }, node: { emulated: true } }],
  ['REAL_GPUS', { wanted: { realGpusOnly: true }, offer: { emulated: true } }],
  [undefined, { wanted: { realGpusOnly: true } }],
  ['NETWORK', { more: { network: 'INTERNET' }, node: { networkAllowed: false } }],
  ['NETWORK', { more: { network: 'INTERNET' }, offer: { networkAllowed: false } }],
  [undefined, { node: { networkAllowed: false }, offer: { networkAllowed: false } }],
  ['RENTAL_TIME', { more: { maxRunSeconds: 29 } }],
  [undefined, { more: { maxRunSeconds: 30 } }],
  [undefined, { more: { maxRunSeconds: 90 } }],
  ['RENTAL_TIME', { more: { maxRunSeconds: 91 } }],
  [undefined, { more: { maxRunSeconds: 91 }, offer: { maxRentalSeconds: 0 } }],
  ['UNSCHEDULABLE', { node: { schedulable: false } }],
  ['OFFLINE', { offline: true }],
  ['BUSY', { busy: true }],
])('%s is what fails', (name, change) => expect(failed(change)).toBe(name));

test('a busy place fits once it is free, any other failure lasts', () => {
  const feasible = (change: Change): boolean =>
    [...marketOf(change).candidates(0)].every((candidate) => isFeasibleWhenFree(candidate, wantedFor(change)));
  expect(feasible({ busy: true })).toBe(true);
  expect(feasible({ offline: true })).toBe(false);
});

test('slots are bounded by whatever runs out first', () => {
  const slots = (wanted: Partial<Requirements>): number => {
    const [candidate] = marketOf({}).candidates(0);
    const little = { gpuCount: 1, cpuMilli: 1, memoryMib: 1, scratchMib: 1, ...wanted };
    return candidate ? slotsFree(candidate, wantedFor({ wanted: little })) : -1;
  };
  expect(slots({})).toBe(2);
  expect(slots({ gpuCount: 2 })).toBe(1);
  expect(slots({ cpuMilli: 2_001 })).toBe(1);
  expect(slots({ memoryMib: 2_000 })).toBe(1);
  expect(slots({ scratchMib: 1_000 })).toBe(1);
  expect(slots({ cpuMilli: 4_001 })).toBe(0);
});

test('an explanation counts every offer once and names the cheapest that fits', () => {
  const market = marketOf({});
  for (const [number, price] of [2n, 7n, 4n].entries()) {
    market.putNode(aNode(number + 2, 2, { ...NODE, schedulable: number > 0 }));
    market.putOffer(anOffer(number + 2, price, OFFER));
    market.setAvailable(id(7, number + 2), true);
  }
  expect(explain(market, wantedFor({}), 0)).toEqual({
    offerCount: 4,
    feasibleOfferCount: 2,
    removed: [
      { requirement: 'PRICE', offerCount: 1 },
      { requirement: 'UNSCHEDULABLE', offerCount: 1 },
    ],
    cheapestPriceMicrosPerGpuHour: 4n,
  });
  expect(explain(new Market(), wantedFor({}), 0)).toMatchObject({ offerCount: 0, cheapestPriceMicrosPerGpuHour: 0n });
  expect(REQUIREMENT_NAMES.at(-1)).toBe('BUSY');
});

test('tasks are quoted at free places first, in turn; at busy ones only when nothing is free', () => {
  const requirements = { ...aSpec().requirements, gpuCount: 1, cpuMilli: 1, memoryMib: 1, scratchMib: 1 };
  const quoted = (market: Market, taskCount: number): string[] =>
    selectOffers(market, aSpec({ requirements, taskCount }), 0).map(({ offerId }) => offerId);
  const market = marketOf({ busy: true });
  market.putNode(aNode(2, 1, NODE));
  market.putOffer(anOffer(2, 6n, OFFER));
  market.setAvailable(id(7, 2), true);
  expect(quoted(market, 4)).toEqual([id(9, 1), id(9, 2), id(9, 1), id(9, 2)]);
  const full = marketOf({ busy: true, node: { gpus: aNode(1, 1).gpus } });
  expect(quoted(full, 1)).toEqual([id(9, 1)]);
  expect(() => quoted(marketOf({ offline: true }), 1)).toThrow('no offer can run');
});
