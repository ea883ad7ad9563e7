import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { OfferChanged, OfferState, OrganisationKind, ProviderKind, type Offer } from '@daya/proto/registry';
import { anEnrolledNode, anInventory } from './a-node';
import { as, OPERATOR, refusalOf, TestRegistry } from './harness';

let registry: TestRegistry;
let offers: ReturnType<TestRegistry['offers']>;
let dispatch: ReturnType<TestRegistry['providers']>;
let gateway: ReturnType<TestRegistry['providers']>;
beforeAll(async () => {
  registry = await TestRegistry.start();
  offers = registry.offers();
  dispatch = registry.providers('dispatch');
  gateway = registry.providers();
});
afterAll(async () => {
  await registry.stop();
});

async function aReportedNode(gpus = 1, provider?: Awaited<ReturnType<TestRegistry['aProvider']>>) {
  const node = await anEnrolledNode(registry, provider);
  await dispatch.reportInventory({
    requestId: randomUUID(),
    nodeId: node.nodeId,
    inventory: anInventory(Array.from({ length: gpus }, () => `GPU-${randomUUID()}`)),
  });
  return node;
}
const terms = (nodeId: string, overrides = {}) => ({
  requestId: randomUUID(),
  nodeId,
  gpuModelId: 'rtx-4090',
  priceMicrosPerGpuHour: 400_000n,
  minRentalSeconds: 60,
  maxRentalSeconds: 3_600,
  ...overrides,
});
const told = async (offerId: string): Promise<Offer[]> =>
  (
    await registry.sql<{ payload: Buffer }>('SELECT payload FROM outbox WHERE key = $1 ORDER BY position', [offerId])
  ).map(({ payload }) => OfferChanged.decode(payload).offer!);

test('an offer says what the node has, and every change is a new version that is told', async () => {
  const node = await aReportedNode(2);
  const { offer } = await offers.createOffer(terms(node.nodeId), as(node.owner));
  expect(offer).toMatchObject({
    gpuCount: 2,
    region: 'eu-central',
    emulated: true,
    networkAllowed: false,
    state: OfferState.OPEN,
    version: 1n,
  });
  const update = {
    requestId: randomUUID(),
    offer: { ...offer!, priceMicrosPerGpuHour: 350_000n, gpuCount: 99 },
    updateMask: ['price_micros_per_gpu_hour'],
  };
  const { offer: cheaper } = await offers.updateOffer(update, as(node.owner));
  expect(cheaper).toEqual({ ...offer, priceMicrosPerGpuHour: 350_000n, version: 2n });
  expect(await offers.updateOffer(update, as(node.owner))).toEqual({ offer: cheaper });
  await dispatch.reportInventory({
    requestId: randomUUID(),
    nodeId: node.nodeId,
    inventory: anInventory([`GPU-${randomUUID()}`], { networkAllowed: true }),
  });
  const closed = await offers.closeOffer({ requestId: randomUUID(), offerId: offer!.offerId }, as(node.owner));
  expect(closed.offer).toMatchObject({ state: OfferState.CLOSED, gpuCount: 1, networkAllowed: true, version: 4n });
  expect((await told(offer!.offerId)).map(({ version }) => version)).toEqual([1n, 2n, 3n, 4n]);
  expect(await refusalOf(offers.updateOffer({ ...update, requestId: randomUUID() }, as(node.owner)))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: 'OFFER_CLOSED',
  });
});

test('a node has one open offer per model, also when two are made at once', async () => {
  const node = await aReportedNode();
  const attempts = await Promise.allSettled(
    [1, 2, 3].map(() => offers.createOffer(terms(node.nodeId), as(node.owner))),
  );
  expect(attempts.filter(({ status: outcome }) => outcome === 'fulfilled')).toHaveLength(1);
  const reasons = attempts.flatMap((attempt) =>
    attempt.status === 'rejected' ? [(attempt.reason as { reason: string }).reason] : [],
  );
  expect(reasons).toEqual(['OFFER_EXISTS', 'OFFER_EXISTS']);
  const request = terms(node.nodeId, { gpuModelId: 'h200-141-sxm' });
  expect(await refusalOf(offers.createOffer(request, as(node.owner)))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: 'GPU_MODEL_NOT_ON_NODE',
  });
});

test('terms are checked, all at once', async () => {
  const node = await aReportedNode();
  const bad = offers.createOffer(
    terms('x', {
      gpuModelId: 'RTX 4090',
      priceMicrosPerGpuHour: -1n,
      minRentalSeconds: -5,
      maxRentalSeconds: 0,
      requestId: '',
    }),
    as(node.owner),
  );
  expect((await refusalOf(bad)).fields).toEqual([
    'request_id: REQUIRED',
    'node_id: MALFORMED',
    'gpu_model_id: MALFORMED',
    'price_micros_per_gpu_hour: OUT_OF_RANGE',
    'min_rental_seconds: OUT_OF_RANGE',
    'max_rental_seconds: OUT_OF_RANGE',
  ]);
  expect(
    (await refusalOf(offers.createOffer(terms(node.nodeId, { minRentalSeconds: 7_200 }), as(node.owner)))).fields,
  ).toEqual(['min_rental_seconds: CONFLICT']);
  const { offer } = await offers.createOffer(terms(node.nodeId), as(node.owner));
  const update = (change: Partial<Offer>, paths: string[]) =>
    offers.updateOffer({ requestId: randomUUID(), offer: { ...offer!, ...change }, updateMask: paths }, as(node.owner));
  expect((await refusalOf(update({ maxRentalSeconds: 30 }, ['max_rental_seconds']))).fields).toEqual([
    'offer.min_rental_seconds: CONFLICT',
  ]);
  expect(
    (await refusalOf(update({ priceMicrosPerGpuHour: 0n }, ['price_micros_per_gpu_hour', 'region']))).fields,
  ).toEqual(['update_mask: UNKNOWN_VALUE', 'offer.price_micros_per_gpu_hour: OUT_OF_RANGE']);
});

test('open offers are public, closed ones are their owner’s; nobody changes a foreign one', async () => {
  const node = await aReportedNode();
  const stranger = await registry.anOrganisation('Stranger', OrganisationKind.CUSTOMER);
  const { offer } = await offers.createOffer(terms(node.nodeId), as(node.owner));
  const { offerId } = offer!;
  expect((await offers.getOffer({ offerId }, as(stranger.owner))).offer).toEqual(offer);
  const notFound = { code: status.NOT_FOUND, reason: 'OFFER_NOT_FOUND', fields: [] };
  expect(await refusalOf(offers.closeOffer({ requestId: randomUUID(), offerId }, as(stranger.owner)))).toEqual(
    notFound,
  );
  expect(
    await refusalOf(offers.closeOffer({ requestId: randomUUID(), offerId: randomUUID() }, as(stranger.owner))),
  ).toEqual(notFound);
  const update = { requestId: randomUUID(), offer: offer!, updateMask: ['min_rental_seconds'] };
  expect(await refusalOf(offers.updateOffer(update, as(stranger.owner)))).toEqual(notFound);
  expect(await refusalOf(offers.createOffer(terms(node.nodeId), as(stranger.owner)))).toMatchObject({
    reason: 'NODE_NOT_FOUND',
  });
  await offers.closeOffer({ requestId: randomUUID(), offerId }, as(node.owner));
  expect(await refusalOf(offers.getOffer({ offerId }, as(stranger.owner)))).toEqual(notFound);
  expect((await offers.getOffer({ offerId }, as(node.owner))).offer!.state).toBe(OfferState.CLOSED);
});

test('a revoked node’s offers are closed', async () => {
  const node = await aReportedNode();
  const { offer } = await offers.createOffer(terms(node.nodeId), as(node.owner));
  await gateway.revokeNode({ requestId: randomUUID(), nodeId: node.nodeId, reason: 'sold' }, as(node.owner));
  expect((await told(offer!.offerId)).map(({ state }) => state)).toEqual([OfferState.OPEN, OfferState.CLOSED]);
  expect(await refusalOf(offers.createOffer(terms(node.nodeId), as(node.owner)))).toMatchObject({
    reason: 'NODE_REVOKED',
  });
});

test('an organisation is one provider', async () => {
  const { owner } = await registry.aProvider();
  const request = { requestId: randomUUID(), displayName: 'again', kind: ProviderKind.INSTITUTION, rewardAddress: '' };
  expect(await refusalOf(gateway.createProvider(request, as(owner)))).toMatchObject({
    code: status.ALREADY_EXISTS,
    reason: 'PROVIDER_EXISTS',
  });
  const bad = gateway.createProvider(
    { requestId: '', displayName: ' ', kind: ProviderKind.UNSPECIFIED, rewardAddress: '0x12' },
    as(owner),
  );
  expect((await refusalOf(bad)).fields).toEqual([
    'request_id: REQUIRED',
    'display_name: MALFORMED',
    'kind: UNKNOWN_VALUE',
    'reward_address: MALFORMED',
  ]);
});

test('the catalogue names every model, with a source for every figure', async () => {
  const { gpuModels } = await offers.listGpuModels({ pageSize: 0, pageToken: '' }, as(OPERATOR));
  expect(gpuModels.map(({ gpuModelId }) => gpuModelId)).toEqual([
    ...['a100-40-pcie', 'a100-40-sxm', 'a100-80-pcie', 'a100-80-sxm', 'h100-80-pcie', 'h100-80-sxm', 'h200-141-sxm'],
    ...['l4', 'l40s', 'mi300x', 'rtx-3090', 'rtx-4090', 'rtx-5090'],
  ]);
  for (const model of gpuModels) {
    expect(model.scuRatings.map(({ workKind }) => workKind)).toEqual(['inference', 'rendering', 'training']);
    expect(
      model.scuRatings.every(({ mscu, source, ratingVersion }) => mscu > 0 && source !== '' && ratingVersion === 1),
    ).toBe(true);
    expect(model.purchasePriceSource).toMatch(/^(published list price|estimate of the Daya project)/);
    expect(model.cloudPriceSource).toMatch(/^(published list price|estimate of the Daya project)/);
  }
  expect(gpuModels.find(({ gpuModelId }) => gpuModelId === 'rtx-4090')!.scuRatings.map(({ mscu }) => mscu)).toEqual([
    1_000, 1_000, 1_000,
  ]);
});
