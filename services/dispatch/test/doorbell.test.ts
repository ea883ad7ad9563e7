import { DomainError } from '@daya/kernel';
import { eventually, tcpProxy, testStack, type TcpProxy } from '@daya/testing';
import { anId, Harness } from './support/harness';

let harness: Harness;
let link: TcpProxy;

beforeAll(async () => {
  const { hostname, port } = new URL(testStack().redis.url);
  link = await tcpProxy({ host: hostname, port: Number(port) });
  harness = await Harness.start({ REDIS_URL: `redis://${link.address}` });
});
afterAll(async () => {
  await harness.stop();
  await link.close();
});

/** What FLUSHALL does to this test's queues, without harming others on the same server. */
async function forgetEverything(): Promise<number> {
  const redis = harness.connectRedis();
  const keys = await redis.keys(`${harness.redis.prefix}:*`);
  return keys.length === 0 ? 0 : redis.del(keys);
}

test('a doorbell becomes an offer and a stop on the agents’ streams', async () => {
  const [one, two] = [await (await harness.agent()).connect(), await (await harness.agent()).connect()];
  one.heartbeat(1);
  two.heartbeat(1);
  await Promise.all([one.next('heartbeatAck'), two.next('heartbeatAck')]);
  const offer = harness.offer(one.nodeId);
  const stop = { leaseId: anId(), nodeId: two.nodeId, leaseToken: 3n, reason: 'CANCELLED' };
  harness.scheduler.stops.set(stop.leaseId, stop);
  await harness.ring([offer.leaseId, stop.leaseId, anId()]);
  expect(await one.next('offer')).toEqual(offer);
  expect(await two.next('stop')).toEqual(stop);
});

test('every queue has its worker', async () => {
  const agent = await (await harness.agent()).connect();
  agent.heartbeat(1);
  await agent.next('heartbeatAck');
  for (const queue of ['dispatch-00', 'dispatch-01']) {
    const { leaseId } = harness.offer(agent.nodeId);
    await harness.ring([leaseId], queue);
    await agent.next('offer', (offer) => offer.leaseId === leaseId);
  }
});

test('an agent that was away gets the offer when it is back, before anyone rings again', async () => {
  const agent = await harness.agent();
  const { leaseId } = harness.offer(agent.nodeId);
  const callsBefore = harness.scheduler.offerCalls;
  await harness.ring([leaseId]);
  await eventually(() => expect(harness.scheduler.offerCalls).toBeGreaterThan(callsBefore));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await agent.connect();
  expect((await agent.next('offer')).leaseId).toBe(leaseId);
});

test('an agent gets no work before the scheduler has heard of its life', async () => {
  const agent = await harness.agent();
  harness.scheduler.unknownNodes.add(agent.nodeId);
  await agent.connect();
  const { leaseId } = harness.offer(agent.nodeId);
  await harness.ring([leaseId]);
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(agent.received).toEqual([]);
  harness.scheduler.unknownNodes.delete(agent.nodeId);
  agent.heartbeat(1);
  expect((await agent.next('offer')).leaseId).toBe(leaseId);
  const started = harness.scheduler.heartbeats
    .filter(({ nodeId }) => nodeId === agent.nodeId)
    .map(({ agentStarted }) => agentStarted);
  expect(started).toEqual([true, true]);
});

test('when Redis forgets everything the next ring works', async () => {
  const agent = await (await harness.agent()).connect();
  agent.heartbeat(1);
  await agent.next('heartbeatAck');
  for (let round = 0; round < 3; round += 1) {
    expect(await forgetEverything()).toBeGreaterThan(0);
    const { leaseId } = harness.offer(agent.nodeId);
    await harness.ring([leaseId]);
    await agent.next('offer', (offer) => offer.leaseId === leaseId);
  }
});

test('when Redis is gone for a while the streams live on, and doorbells ring again afterwards', async () => {
  const agent = await (await harness.agent()).connect();
  link.cut();
  agent.heartbeat(1);
  await agent.next('heartbeatAck');
  const { leaseId } = harness.offer(agent.nodeId);
  await harness.ring([leaseId]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  link.heal();
  expect((await agent.next('offer', () => true, 15_000)).leaseId).toBe(leaseId);
}, 30_000);

test('while the scheduler is down a doorbell fails and is not lost to the next one', async () => {
  const agent = await (await harness.agent()).connect();
  agent.heartbeat(1);
  await agent.next('heartbeatAck');
  const { leaseId } = harness.offer(agent.nodeId);
  harness.scheduler.peer.refusal = new DomainError('unavailable', 'STORE_UNAVAILABLE', 'down');
  await harness.ring([leaseId]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  harness.scheduler.peer.refusal = undefined;
  await harness.ring([leaseId]);
  expect((await agent.next('offer')).leaseId).toBe(leaseId);
});

test('a doorbell that is no list of lease ids is thrown away and stops nothing', async () => {
  const agent = await (await harness.agent()).connect();
  agent.heartbeat(1);
  await agent.next('heartbeatAck');
  await harness.ring(['../../etc/passwd']);
  await harness.ring([]);
  const { leaseId } = harness.offer(agent.nodeId);
  await harness.ring([leaseId]);
  expect((await agent.next('offer')).leaseId).toBe(leaseId);
});
