import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { toTimestamp } from '@daya/proto';
import { Connectivity, NodeChanged, UnschedulableReason, type Node } from '@daya/proto/registry';
import { eventually } from '@daya/testing';
import { anEnrolledNode, anInventory } from './a-node';
import { as, OPERATOR, refusalOf, TestRegistry } from './harness';

let registry: TestRegistry;
let dispatch: ReturnType<TestRegistry['providers']>;
let scheduler: ReturnType<TestRegistry['providers']>;
let gateway: ReturnType<TestRegistry['providers']>;
beforeAll(async () => {
  registry = await TestRegistry.start();
  dispatch = registry.providers('dispatch');
  scheduler = registry.providers('scheduler');
  gateway = registry.providers();
});
afterAll(() => registry.stop());

type Enrolled = Awaited<ReturnType<typeof anEnrolledNode>>;
const report = (nodeId: string, inventory = anInventory()) =>
  dispatch.reportInventory({ requestId: randomUUID(), nodeId, inventory });
const get = async ({ nodeId, owner }: Enrolled): Promise<Node> => (await gateway.getNode({ nodeId }, as(owner))).node!;
const hear = (nodeId: string, connectivity: Connectivity, since: Date) =>
  scheduler.reportConnectivity({
    requestId: randomUUID(),
    nodes: [{ nodeId, connectivity, sinceTime: toTimestamp(since) }],
  });
const told = async (nodeId: string): Promise<NodeChanged[]> =>
  (
    await registry.sql<{ payload: Buffer }>(
      'SELECT payload FROM outbox WHERE key = $1 AND type = $2 ORDER BY position',
      [nodeId, NodeChanged.$type],
    )
  ).map(({ payload }) => NodeChanged.decode(payload));

test('a GPU is bound to one active node: of two that report it at once, one gets it', async () => {
  const nodes = [await anEnrolledNode(registry), await anEnrolledNode(registry)];
  const uuid = `GPU-${randomUUID()}`;
  const attempts = await Promise.allSettled(nodes.map(({ nodeId }) => report(nodeId, anInventory([uuid]))));
  expect(attempts.map(({ status: outcome }) => outcome).sort()).toEqual(['fulfilled', 'rejected']);
  const loser = nodes[attempts.findIndex((attempt) => attempt.status === 'rejected')]!;
  const winner = nodes.find((node) => node !== loser)!;
  expect(attempts.find((attempt) => attempt.status === 'rejected')).toMatchObject({
    reason: { code: status.ALREADY_EXISTS, reason: 'GPU_BOUND_ELSEWHERE' },
  });
  expect(await get(loser)).toMatchObject({
    schedulable: false,
    unschedulableReason: UnschedulableReason.GPU_BOUND_ELSEWHERE,
  });
  // A serial is an identity too.
  const inventory = anInventory();
  inventory.gpus[0]!.serial = uuid;
  await report(winner.nodeId, { ...anInventory([uuid]), gpus: [{ ...anInventory([uuid]).gpus[0]!, serial: uuid }] });
  expect(await refusalOf(report(loser.nodeId, inventory))).toMatchObject({ reason: 'GPU_BOUND_ELSEWHERE' });
  // It is free again when its node is revoked.
  await gateway.revokeNode({ requestId: randomUUID(), nodeId: winner.nodeId, reason: 'sold' }, as(winner.owner));
  expect((await report(loser.nodeId, anInventory([uuid]))).node).toMatchObject({
    unschedulableReason: UnschedulableReason.NOT_ADMITTED,
  });
});

test('the same inventory again changes nothing, and is told once', async () => {
  const node = await anEnrolledNode(registry);
  const inventory = anInventory();
  const requestId = randomUUID();
  const request = { requestId, nodeId: node.nodeId, inventory };
  const [first, second] = await Promise.all([dispatch.reportInventory(request), dispatch.reportInventory(request)]);
  expect(first).toEqual(second);
  const count = (await told(node.nodeId)).length;
  expect((await report(node.nodeId, inventory)).node!.version).toBe(first.node!.version);
  expect((await told(node.nodeId)).length).toBe(count);
  expect(await refusalOf(dispatch.reportInventory({ ...request, inventory: anInventory() }))).toMatchObject({
    reason: 'REQUEST_ID_REUSED',
  });
});

test('every violated field of an inventory is named at once', async () => {
  const node = await anEnrolledNode(registry);
  const gpu = { index: 0, uuid: 'GPU-1', serial: '', gpuModelId: 'rtx-4090', vramMib: 24_576 };
  const gpus = [gpu, { ...gpu, vramMib: 8_192 }, { ...gpu, index: 99, uuid: '', gpuModelId: 'voodoo-2' }];
  const bad = report(
    node.nodeId,
    anInventory([], { gpus, cpuMilli: 0, containerDriver: 'lxc', driverVersion: 'x'.repeat(65) }),
  );
  expect((await refusalOf(bad)).fields).toEqual([
    'inventory.cpu_milli: OUT_OF_RANGE',
    'inventory.driver_version: TOO_LONG',
    'inventory.container_driver: UNKNOWN_VALUE',
    'inventory.gpus[1].vram_mib: CONFLICT',
    'inventory.gpus[1].index: DUPLICATE',
    'inventory.gpus[1].uuid: DUPLICATE',
    'inventory.gpus[2].index: OUT_OF_RANGE',
    'inventory.gpus[2].uuid: REQUIRED',
    'inventory.gpus[2].gpu_model_id: UNKNOWN_VALUE',
  ]);
  expect(
    (await refusalOf(dispatch.reportInventory({ requestId: '', nodeId: 'x', inventory: undefined }))).fields,
  ).toEqual(['request_id: REQUIRED', 'node_id: MALFORMED', 'inventory: REQUIRED']);
});

test('connectivity follows the newest word; unknown nodes are ignored', async () => {
  const node = await anEnrolledNode(registry);
  const now = Date.now();
  await hear(node.nodeId, Connectivity.ONLINE, new Date(now));
  await hear(node.nodeId, Connectivity.LOST, new Date(now + 10));
  await hear(node.nodeId, Connectivity.ONLINE, new Date(now + 5));
  await hear(randomUUID(), Connectivity.ONLINE, new Date(now));
  expect((await get(node)).connectivity).toBe(Connectivity.LOST);
  expect((await told(node.nodeId)).map(({ node: one }) => one!.connectivity)).toEqual([
    Connectivity.UNSPECIFIED,
    Connectivity.ONLINE,
    Connectivity.LOST,
  ]);
  const bad = scheduler.reportConnectivity({
    requestId: randomUUID(),
    nodes: [{ nodeId: 'x', connectivity: Connectivity.UNSPECIFIED, sinceTime: undefined }],
  });
  expect((await refusalOf(bad)).fields).toEqual([
    'nodes[0].node_id: MALFORMED',
    'nodes[0].connectivity: UNKNOWN_VALUE',
    'nodes[0].since_time: REQUIRED',
  ]);
});

test('a hundred nodes are one call: each is told once, and the call again changes nothing', async () => {
  const nodes: Enrolled[] = [];
  for (let count = 0; count < 4; count += 1) nodes.push(await anEnrolledNode(registry));
  await report(nodes[0]!.nodeId);
  const now = Date.now();
  await hear(nodes[3]!.nodeId, Connectivity.LOST, new Date(now + 10));
  const strangers = Array.from({ length: 96 }, () => randomUUID());
  const request = {
    requestId: randomUUID(),
    nodes: [...nodes.map(({ nodeId }) => nodeId), ...strangers].map((nodeId) => ({
      nodeId,
      connectivity: Connectivity.ONLINE,
      sinceTime: toTimestamp(new Date(now)),
    })),
  };
  await Promise.all([scheduler.reportConnectivity(request), scheduler.reportConnectivity(request)]);
  const heard = await Promise.all(nodes.map(async (node) => (await get(node)).connectivity));
  expect(heard).toEqual([Connectivity.ONLINE, Connectivity.ONLINE, Connectivity.ONLINE, Connectivity.LOST]);
  for (const { nodeId } of nodes) {
    const versions = (await told(nodeId)).map(({ node }) => node!.version);
    expect(versions).toEqual(versions.map((_, index) => BigInt(index + 1)));
  }
  // What stands beside the connectivity is kept, and told with it.
  const last = (await told(nodes[0]!.nodeId)).at(-1)!;
  expect(last).toMatchObject({
    node: await get(nodes[0]!),
    mscuByGpuModel: { 'rtx-4090': expect.any(Number) as number },
  });
  expect((await told(nodes[1]!.nodeId)).at(-1)!.mscuByGpuModel).toEqual({});
  const tooMany = {
    requestId: randomUUID(),
    nodes: [...request.nodes, { ...request.nodes[0]!, nodeId: randomUUID() }],
  };
  expect((await refusalOf(scheduler.reportConnectivity(tooMany))).fields).toEqual(['nodes: TOO_MANY']);
});

test('a caller that has given up while a node was locked changes nothing', async () => {
  const node = await anEnrolledNode(registry);
  const gone = new AbortController();
  const nodes = [{ nodeId: node.nodeId, connectivity: Connectivity.ONLINE, sinceTime: toTimestamp(new Date()) }];
  const requestId = randomUUID();
  await registry.whileLocked('SELECT 1 FROM node WHERE node_id = $1 FOR UPDATE', [node.nodeId], async (isWaitedFor) => {
    const call = scheduler.reportConnectivity({ requestId, nodes }, { signal: gone.signal });
    await eventually(async () => expect(await isWaitedFor()).toBe(true));
    gone.abort();
    await expect(call).rejects.toMatchObject({ code: status.CANCELLED });
    // Answered calls on the same connection: the registry has heard of the end before the lock is let go.
    for (let count = 0; count < 2; count += 1) await scheduler.getNode({ nodeId: node.nodeId });
  });
  // What was given up left no answer: the same request is worked on now.
  await eventually(async () => {
    expect(await registry.sql('SELECT 1 FROM pg_locks WHERE locktype = $1 AND NOT granted', ['transactionid'])).toEqual(
      [],
    );
  });
  expect((await get(node)).connectivity).toBe(Connectivity.UNSPECIFIED);
  await scheduler.reportConnectivity({ requestId, nodes });
  expect((await get(node)).connectivity).toBe(Connectivity.ONLINE);
});

test('an owner drains a node, moves it and revokes it; foreign nodes are not there', async () => {
  const node = await anEnrolledNode(registry);
  const other = await registry.aProvider();
  const update = (change: Partial<Node>, paths: string[], caller = node.owner) =>
    gateway.updateNode(
      { requestId: randomUUID(), node: { ...(change as Node), nodeId: node.nodeId }, updateMask: paths },
      as(caller),
    );
  const base = await get(node);
  const draining = { ...base, region: 'ap-southeast', unschedulableReason: UnschedulableReason.DRAINING };
  expect((await update(draining, ['unschedulable_reason', 'region'])).node).toMatchObject({
    region: 'ap-southeast',
    displayName: base.displayName,
  });
  const notTheirs = update({ ...base, unschedulableReason: UnschedulableReason.REVOKED }, ['unschedulable_reason']);
  expect((await refusalOf(notTheirs)).fields).toEqual(['node.unschedulable_reason: UNKNOWN_VALUE']);
  expect((await refusalOf(update(base, ['admission_state', 'schedulable']))).fields).toEqual([
    'update_mask: UNKNOWN_VALUE',
    'update_mask: UNKNOWN_VALUE',
  ]);
  const notFound = { code: status.NOT_FOUND, reason: 'NODE_NOT_FOUND', fields: [] };
  expect(await refusalOf(update(base, ['region'], other.owner))).toEqual(notFound);
  expect(await refusalOf(gateway.getNode({ nodeId: node.nodeId }, as(other.owner)))).toEqual(notFound);
  expect(await refusalOf(gateway.getNode({ nodeId: randomUUID() }, as(other.owner)))).toEqual(notFound);
  expect(
    await refusalOf(gateway.revokeNode({ requestId: randomUUID(), nodeId: node.nodeId, reason: 'x' }, as(other.owner))),
  ).toEqual(notFound);
  await gateway.revokeNode({ requestId: randomUUID(), nodeId: node.nodeId, reason: 'sold' }, as(node.owner));
  expect((await dispatch.checkNodeCertificate({ nodeId: node.nodeId, generation: 1 })).valid).toBe(false);
  expect(await refusalOf(report(node.nodeId))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: 'NODE_REVOKED',
  });
});

test('a new rating is told for every node that has such a GPU', async () => {
  const node = await anEnrolledNode(registry);
  await report(node.nodeId, anInventory([`GPU-${randomUUID()}`], {}));
  const client = registry.offers();
  const request = {
    requestId: randomUUID(),
    gpuModelId: 'rtx-4090',
    workKind: 'training',
    mscu: 1_100,
    source: 'test',
  };
  const { gpuModel } = await client.putScuRating(request, as(OPERATOR));
  expect(gpuModel!.scuRatings.find(({ workKind }) => workKind === 'training')).toEqual({
    workKind: 'training',
    mscu: 1_100,
    source: 'test',
    ratingVersion: 2,
  });
  expect(gpuModel!.version).toBe(2n);
  await eventually(async () => expect((await told(node.nodeId)).at(-1)!.mscuByGpuModel).toEqual({ 'rtx-4090': 1_100 }));
  expect(await refusalOf(client.putScuRating({ ...request, requestId: randomUUID() }, as(node.owner)))).toMatchObject({
    code: status.PERMISSION_DENIED,
  });
});
