import * as fc from 'fast-check';
import { close, followNode, type Offer } from './offer';
import type { Node } from './node';
import { isWorthTelling, reliabilityBps } from './reliability';

const NOW = new Date('2026-01-01T00:00:00Z');

const anOffer = (overrides: Partial<Offer> = {}): Offer => ({
  offerId: 'f',
  nodeId: 'n',
  providerId: 'p',
  organisationId: 'o',
  gpuModelId: 'rtx-4090',
  gpuCount: 2,
  priceMicrosPerGpuHour: 400_000n,
  region: 'eu',
  reliabilityBps: 9_500,
  minRentalSeconds: 0,
  maxRentalSeconds: 60,
  networkAllowed: false,
  state: 'open',
  createTime: NOW,
  version: 3n,
  emulated: false,
  ...overrides,
});

const gpu = { serial: '', gpuModelId: 'rtx-4090', vramMib: 24_576 };
const gpus = (count: number) => Array.from({ length: count }, (_, index) => ({ ...gpu, index, uuid: `GPU-${index}` }));
const aNode = (count: number, overrides: Partial<Node> = {}): Node =>
  ({
    nodeId: 'n',
    region: 'eu',
    revokeTime: undefined,
    inventory: { gpus: gpus(count), networkAllowed: false },
    ...overrides,
  }) as Node;

test('an open offer follows its node, as a new version; it closes when the GPUs or the node are gone', () => {
  const offer = anOffer();
  expect(followNode(offer, aNode(2))).toBe(offer);
  expect(followNode(offer, aNode(1))).toMatchObject({ gpuCount: 1, version: 4n, priceMicrosPerGpuHour: 400_000n });
  expect(followNode(offer, aNode(2, { region: 'us' }))).toMatchObject({ region: 'us', version: 4n });
  expect(followNode(offer, aNode(0))).toMatchObject({ state: 'closed', version: 4n });
  expect(followNode(offer, aNode(2, { revokeTime: NOW }))).toMatchObject({ state: 'closed' });
  const closed = close(offer);
  expect(followNode(closed, aNode(1))).toBe(closed);
  expect(close(closed)).toBe(closed);
});

test('reliability stays within bounds, falls with a fault and rises with a good lease', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 10n ** 12n), fc.bigInt(0n, 10n ** 12n), (good, faults) => {
      const history = { endedCount: good + faults, providerFaultCount: faults };
      const bps = reliabilityBps(history);
      expect(bps).toBeGreaterThanOrEqual(0);
      expect(bps).toBeLessThan(10_000);
      expect(reliabilityBps({ endedCount: good + faults + 1n, providerFaultCount: faults + 1n })).toBeLessThanOrEqual(
        bps,
      );
      expect(reliabilityBps({ ...history, endedCount: good + faults + 1n })).toBeGreaterThanOrEqual(bps);
    }),
  );
  expect(reliabilityBps({ endedCount: 0n, providerFaultCount: 0n })).toBe(9_500);
  expect([isWorthTelling(9_500, 9_401), isWorthTelling(9_500, 9_400)]).toEqual([false, true]);
});
