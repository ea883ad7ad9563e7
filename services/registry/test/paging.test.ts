import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { anEnrolledNode, anInventory } from './a-node';
import { as, OPERATOR, refusalOf, TestRegistry } from './harness';

let registry: TestRegistry;
let offers: ReturnType<TestRegistry['offers']>;
let fleet: ReturnType<TestRegistry['providers']>;
let dispatch: ReturnType<TestRegistry['providers']>;
let tenants: ReturnType<TestRegistry['organisations']>;
let provider: Awaited<ReturnType<TestRegistry['aProvider']>>;
beforeAll(async () => {
  registry = await TestRegistry.start();
  offers = registry.offers();
  fleet = registry.providers();
  dispatch = registry.providers('dispatch');
  tenants = registry.organisations();
  provider = await registry.aProvider();
});
afterAll(async () => {
  await registry.stop();
});

interface PageOf {
  readonly ids: readonly string[];
  readonly nextPageToken: string;
}

interface List {
  readonly name: string;
  readonly add: () => Promise<unknown>;
  readonly page: (page: { pageSize: number; pageToken: string }) => Promise<PageOf>;
}

const own = () => as(provider.owner);
async function addOffer(): Promise<void> {
  const { nodeId } = await anEnrolledNode(registry, provider);
  await dispatch.reportInventory({ requestId: randomUUID(), nodeId, inventory: anInventory() });
  const terms = { priceMicrosPerGpuHour: 1n, minRentalSeconds: 0, maxRentalSeconds: 60 };
  await offers.createOffer({ requestId: randomUUID(), nodeId, gpuModelId: 'rtx-4090', ...terms }, own());
}

const LISTS: readonly List[] = [
  {
    name: 'organisations',
    add: () => registry.anOrganisation(),
    page: async (page) => {
      const { organisations, nextPageToken } = await tenants.listOrganisations(page, as(OPERATOR));
      return { ids: organisations.map((row) => row.organisationId), nextPageToken };
    },
  },
  {
    name: 'teams',
    add: () => tenants.createTeam({ requestId: randomUUID(), displayName: 't' }, own()),
    page: async (page) => {
      const { teams, nextPageToken } = await tenants.listTeams(page, own());
      return { ids: teams.map((row) => row.teamId), nextPageToken };
    },
  },
  {
    name: 'projects',
    add: () => tenants.createProject({ requestId: randomUUID(), displayName: 'p', teamId: '', labels: {} }, own()),
    page: async (page) => {
      const { projects, nextPageToken } = await tenants.listProjects(page, own());
      return { ids: projects.map((row) => row.projectId), nextPageToken };
    },
  },
  {
    name: 'members',
    add: () =>
      tenants.putMember(
        { requestId: randomUUID(), email: `${randomUUID()}@example.org`, role: 'viewer', teamId: '' },
        own(),
      ),
    page: async (page) => {
      const { members, nextPageToken } = await tenants.listMembers(page, own());
      return { ids: members.map((row) => row.memberId), nextPageToken };
    },
  },
  {
    name: 'keys',
    add: () =>
      tenants.createApiKey(
        { requestId: randomUUID(), displayName: 'k', role: 'viewer', scopes: [], expireTime: undefined },
        own(),
      ),
    page: async (page) => {
      const { apiKeys, nextPageToken } = await tenants.listApiKeys(page, own());
      return { ids: apiKeys.map((row) => row.keyId), nextPageToken };
    },
  },
  {
    name: 'providers',
    add: () => registry.aProvider(),
    page: async (page) => {
      const { providers, nextPageToken } = await fleet.listProviders(page, as(OPERATOR));
      return { ids: providers.map((row) => row.providerId), nextPageToken };
    },
  },
  {
    name: 'nodes',
    add: () => anEnrolledNode(registry, provider),
    page: async (page) => {
      const { nodes, nextPageToken } = await fleet.listNodes(page, own());
      return { ids: nodes.map((row) => row.nodeId), nextPageToken };
    },
  },
  {
    name: 'offers',
    add: addOffer,
    page: async (page) => {
      const { offers: rows, nextPageToken } = await offers.listOffers(
        { ...page, gpuModelId: 'rtx-4090', region: '' },
        own(),
      );
      return { ids: rows.map((row) => row.offerId), nextPageToken };
    },
  },
];

test.each(LISTS)(
  '$name: every row that was there is seen exactly once while others are inserted',
  async ({ add, page }) => {
    for (let count = 0; count < 5; count += 1) await add();
    const before = (await page({ pageSize: 200, pageToken: '' })).ids;
    expect(before.length).toBeGreaterThanOrEqual(5);
    const seen: string[] = [];
    let inserted = 0;
    let pageToken = '';
    do {
      // Two more rows per page of two, for the first pages: the end is still reached.
      const adding = inserted < 4 ? Promise.all([add(), add()]) : Promise.resolve();
      inserted += 2;
      const [answer] = await Promise.all([page({ pageSize: 2, pageToken }), adding]);
      expect(answer.ids.length).toBeLessThanOrEqual(2);
      seen.push(...answer.ids);
      pageToken = answer.nextPageToken;
    } while (pageToken !== '');
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => before.includes(id))).toEqual(before);
  },
);

test('the catalogue is paged too', async () => {
  const first = await offers.listGpuModels({ pageSize: 10, pageToken: '' }, own());
  const second = await offers.listGpuModels({ pageSize: 10, pageToken: first.nextPageToken }, own());
  expect([first.gpuModels.length, second.gpuModels.length, second.nextPageToken]).toEqual([10, 3, '']);
});

test('a page token is good for its list, filter and caller only', async () => {
  for (let count = 0; count < 2; count += 1)
    await tenants.createTeam({ requestId: randomUUID(), displayName: 't' }, own());
  const { nextPageToken } = await tenants.listTeams({ pageSize: 1, pageToken: '' }, own());
  const other = await registry.anOrganisation();
  const refused = {
    code: status.INVALID_ARGUMENT,
    reason: 'INVALID_FIELDS',
    fields: ['page_token: PAGE_TOKEN_INVALID'],
  };
  expect(await refusalOf(tenants.listTeams({ pageSize: 1, pageToken: nextPageToken }, as(other.owner)))).toEqual(
    refused,
  );
  expect(await refusalOf(tenants.listProjects({ pageSize: 1, pageToken: nextPageToken }, own()))).toEqual(refused);
  expect(
    await refusalOf(
      tenants.listTeams(
        { pageSize: 1, pageToken: `${nextPageToken.startsWith('A') ? 'B' : 'A'}${nextPageToken.slice(1)}` },
        own(),
      ),
    ),
  ).toEqual(refused);
  expect((await refusalOf(tenants.listTeams({ pageSize: -1, pageToken: '' }, own()))).fields).toEqual([
    'page_size: OUT_OF_RANGE',
  ]);
  const filter = offers.listOffers({ pageSize: 1, pageToken: '', gpuModelId: 'RTX', region: 'a b' }, own());
  expect((await refusalOf(filter)).fields).toEqual(['gpu_model_id: MALFORMED', 'region: MALFORMED']);
});
