import { randomUUID } from 'node:crypto';
import { ensureTopics, toWire, type KafkaPublisher } from '@daya/messaging';
import { AdmissionState, NodeChanged, OfferState, UnschedulableReason, type Node } from '@daya/proto/registry';
import { Fault, JobFinished, JobState, LeaseEnded } from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { anEnrolledNode, anInventory } from './a-node';
import { as, TestRegistry } from './harness';

let registry: TestRegistry;
let dispatch: ReturnType<TestRegistry['providers']>;
let gateway: ReturnType<TestRegistry['providers']>;
let publisher: KafkaPublisher;
beforeAll(async () => {
  registry = await TestRegistry.start();
  dispatch = registry.providers('dispatch');
  gateway = registry.providers();
  const kafka = registry.kafka.connect('scheduler');
  // What the scheduler does at its own start.
  const topics = [{ name: 'daya.scheduler.jobs' }, { name: 'daya.scheduler.leases' }];
  await eventually(() => ensureTopics(kafka, topics), { timeoutMs: 60_000 });
  publisher = kafka.producer();
  await publisher.start();
});
afterAll(async () => {
  await publisher.stop();
  await registry.stop();
});

type Enrolled = Awaited<ReturnType<typeof anEnrolledNode>>;
const report = (nodeId: string, inventory = anInventory()) =>
  dispatch.reportInventory({ requestId: randomUUID(), nodeId, inventory });
const get = async ({ nodeId, owner }: Enrolled): Promise<Node> => (await gateway.getNode({ nodeId }, as(owner))).node!;
const told = async (nodeId: string): Promise<NodeChanged[]> =>
  (
    await registry.sql<{ payload: Buffer }>(
      'SELECT payload FROM outbox WHERE key = $1 AND type = $2 ORDER BY position',
      [nodeId, NodeChanged.$type],
    )
  ).map(({ payload }) => NodeChanged.decode(payload));

const publish = (topic: string, key: string, type: string, payload: Uint8Array, aggregateVersion: bigint) => {
  const wire = toWire({
    id: randomUUID(),
    type,
    key,
    payload: Buffer.from(payload),
    aggregateVersion,
    time: new Date(),
    source: 'scheduler',
    headers: {},
  });
  return publisher.publish(topic, [wire]);
};
const finish = (nodeId: string, jobId: string, state: JobState, reason = '') =>
  publish(
    'daya.scheduler.jobs',
    jobId,
    JobFinished.$type,
    JobFinished.encode(JobFinished.fromPartial({ jobId, canary: true, canaryNodeId: nodeId, state, reason })).finish(),
    1n,
  );
const submitted = (nodeId: string) =>
  eventually(async () => {
    const [row] = await registry.sql<{ canary_job_id: string | null }>(
      'SELECT canary_job_id FROM node WHERE node_id = $1',
      [nodeId],
    );
    expect(row!.canary_job_id).not.toBeNull();
    return row!.canary_job_id!;
  });

test('a node is in the market only when its canary has succeeded', async () => {
  const node = await anEnrolledNode(registry);
  const { node: reported } = await report(node.nodeId);
  expect(reported).toMatchObject({
    schedulable: false,
    unschedulableReason: UnschedulableReason.NOT_ADMITTED,
    admissionState: AdmissionState.PENDING,
    emulated: true,
  });
  const jobId = await submitted(node.nodeId);
  expect(registry.scheduler.requests.find(({ nodeId }) => nodeId === node.nodeId)).toMatchObject({
    requestId: `canary-${node.nodeId}-1`,
    spec: { maxRunSeconds: 30 },
  });
  await finish(node.nodeId, jobId, JobState.SUCCEEDED);
  await eventually(
    async () =>
      expect(await get(node)).toMatchObject({
        schedulable: true,
        admissionState: AdmissionState.ADMITTED,
        trustTier: 'probation',
      }),
    { timeoutMs: 20_000 },
  );
  const [last] = (await told(node.nodeId)).slice(-1);
  expect(last).toMatchObject({ node: { schedulable: true }, mscuByGpuModel: { 'rtx-4090': 1000 } });
});

test('a node whose canary fails is refused with the reason, and tries again with other GPUs', async () => {
  const node = await anEnrolledNode(registry);
  await report(node.nodeId);
  await finish(node.nodeId, await submitted(node.nodeId), JobState.FAILED, 'EXITED');
  await eventually(
    async () =>
      expect(await get(node)).toMatchObject({
        admissionState: AdmissionState.REFUSED,
        admissionReason: 'EXITED',
        schedulable: false,
      }),
    { timeoutMs: 20_000 },
  );
  const { node: again } = await report(node.nodeId, anInventory());
  expect(again!.admissionState).toBe(AdmissionState.PENDING);
  await eventually(() => expect(registry.scheduler.requestIdsOf(node.nodeId)).toContain(`canary-${node.nodeId}-2`));
});

test('an answer or event that was lost delays admission only', async () => {
  const node = await anEnrolledNode(registry);
  registry.scheduler.refuse = true;
  await report(node.nodeId);
  await eventually(() => expect(registry.scheduler.requestIdsOf(node.nodeId).length).toBeGreaterThanOrEqual(2), {
    timeoutMs: 15_000,
  });
  registry.scheduler.refuse = false;
  await submitted(node.nodeId);
  expect(new Set(registry.scheduler.requestIdsOf(node.nodeId)).size).toBe(1);
  // No event comes, but the job is done when the sweeper asks again.
  registry.scheduler.jobOf(node.nodeId)!.state = JobState.SUCCEEDED;
  await registry.sql('UPDATE node SET canary_due_time = now() WHERE node_id = $1', [node.nodeId]);
  await eventually(async () => expect((await get(node)).admissionState).toBe(AdmissionState.ADMITTED));
});

test('the end of another job does not admit a node', async () => {
  const node = await anEnrolledNode(registry);
  await report(node.nodeId);
  await submitted(node.nodeId);
  const asked = registry.scheduler.requestIdsOf(node.nodeId).length;
  await finish(node.nodeId, randomUUID(), JobState.SUCCEEDED);
  await eventually(() => expect(registry.scheduler.requestIdsOf(node.nodeId).length).toBeGreaterThan(asked), {
    timeoutMs: 20_000,
  });
  expect((await get(node)).admissionState).toBe(AdmissionState.PENDING);
});

test('leases that ended by the provider’s fault lower the reliability of its offers', async () => {
  const node = await anEnrolledNode(registry);
  await report(node.nodeId);
  const offers = registry.offers();
  const terms = {
    requestId: randomUUID(),
    nodeId: node.nodeId,
    gpuModelId: 'rtx-4090',
    priceMicrosPerGpuHour: 400_000n,
    minRentalSeconds: 1,
    maxRentalSeconds: 3_600,
  };
  const { offer } = await offers.createOffer(terms, as(node.owner));
  expect(offer).toMatchObject({ reliabilityBps: 9_500, state: OfferState.OPEN, version: 1n });
  const leaseId = randomUUID();
  const ended = { terms: { leaseId, nodeId: node.nodeId, canary: false }, fault: Fault.PROVIDER };
  await publish(
    'daya.scheduler.leases',
    leaseId,
    LeaseEnded.$type,
    LeaseEnded.encode(LeaseEnded.fromPartial(ended)).finish(),
    1n,
  );
  await eventually(
    async () =>
      expect((await offers.getOffer({ offerId: offer!.offerId }, as(node.owner))).offer).toMatchObject({
        reliabilityBps: 9_047,
        version: 2n,
      }),
    { timeoutMs: 20_000 },
  );
});
