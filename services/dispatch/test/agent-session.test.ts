import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { DomainError } from '@daya/kernel';
import { GrpcCallError } from '@daya/nest';
import { LeaseReportOutcome } from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { anId, Harness } from './support/harness';
import { aHello, TestAgent } from './support/test-agent';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start();
});
afterAll(() => harness.stop());

test('an agent is welcomed, its inventory stored, its leases renewed, its reports decided', async () => {
  const agent = await harness.agent();
  const { leaseId } = harness.offer(agent.nodeId);
  await agent.connect();
  await eventually(() =>
    expect(harness.registry.inventories.filter(({ nodeId }) => nodeId === agent.nodeId)).toHaveLength(1),
  );
  const lease = { leaseId, leaseToken: 1n };
  agent.heartbeat(1, [lease]);
  expect(await agent.next('heartbeatAck')).toEqual({ sequence: 1n, renewedLeaseIds: [leaseId] });
  const heartbeats = harness.scheduler.heartbeats.filter(({ nodeId }) => nodeId === agent.nodeId);
  expect(heartbeats.map(({ agentStarted }) => agentStarted)).toEqual([true, false]);
  const reportId = anId();
  agent.report({ reportId, leaseId });
  expect(await agent.next('reportAck')).toEqual({ reportId, outcome: LeaseReportOutcome.APPLIED, reason: '' });
  const applied = harness.scheduler.reports.find((report) => report.reportId === reportId);
  expect(applied).toMatchObject({ nodeId: agent.nodeId, leaseId, leaseToken: 1n, report: { $case: 'running' } });
  expect(Math.abs(Number(applied?.receiveTime?.seconds) * 1_000 - Date.now())).toBeLessThan(10_000);
  expect(harness.scheduler.peer.tokens.every(({ service }) => service?.startsWith('Bearer '))).toBe(true);
});

test('a reconnected agent of the same life is not announced as started; a restarted one is', async () => {
  const agent = await harness.agent();
  const started = () =>
    harness.scheduler.heartbeats
      .filter(({ nodeId }) => nodeId === agent.nodeId)
      .map(({ agentStarted }) => agentStarted);
  await agent.connect();
  await eventually(() =>
    expect(existsSync(join(harness.folder, 'nodes', agent.nodeId.slice(-2), agent.nodeId))).toBe(true),
  );
  expect(started()).toEqual([true]);
  await harness.again(agent).connect();
  await eventually(() => expect(started()).toEqual([true, false]));
  expect(await agent.whyEnded()).toBe('CONNECTED_AGAIN');
  await harness.again(agent).connect({ bootId: anId() });
  await eventually(() => expect(started()).toEqual([true, false, true]));
});

test('a replayed heartbeat renews nothing, a repeated report is applied once', async () => {
  const agent = await harness.agent();
  const { leaseId } = harness.offer(agent.nodeId);
  await agent.connect();
  agent.heartbeat(2);
  await agent.next('heartbeatAck');
  const before = harness.scheduler.heartbeats.length;
  agent.heartbeat(2, [{ leaseId, leaseToken: 1n }]);
  agent.heartbeat(1, [{ leaseId, leaseToken: 1n }]);
  const reportId = anId();
  agent.report({ reportId, leaseId });
  expect((await agent.next('reportAck')).outcome).toBe(LeaseReportOutcome.APPLIED);
  agent.report({ reportId, leaseId });
  expect((await agent.next('reportAck')).outcome).toBe(LeaseReportOutcome.DUPLICATE);
  expect(harness.scheduler.reports.filter((report) => report.reportId === reportId)).toHaveLength(1);
  expect(harness.scheduler.heartbeats.slice(before).filter(({ nodeId }) => nodeId === agent.nodeId)).toEqual([]);
});

test("reports about another node's lease or with a stale token come back as the scheduler decided", async () => {
  const [agent, other] = [await harness.agent(), await harness.agent()];
  const foreign = harness.offer(other.nodeId);
  const own = harness.offer(agent.nodeId, {}, 7n);
  await agent.connect();
  agent.report({ reportId: anId(), leaseId: foreign.leaseId });
  expect(await agent.next('reportAck')).toMatchObject({
    outcome: LeaseReportOutcome.REFUSED,
    reason: 'LEASE_OF_ANOTHER_NODE',
  });
  agent.report({ reportId: anId(), leaseId: own.leaseId, leaseToken: 6n });
  expect(await agent.next('reportAck')).toMatchObject({ outcome: LeaseReportOutcome.STALE, reason: 'TOKEN_STALE' });
  agent.heartbeat(1, [{ leaseId: foreign.leaseId, leaseToken: 1n }]);
  expect((await agent.next('heartbeatAck')).renewedLeaseIds).toEqual([]);
  expect(await agent.next('stop')).toMatchObject({ leaseId: foreign.leaseId, reason: 'SUPERSEDED' });
  const broken = anId();
  agent.report({ reportId: broken, leaseId: 'no lease' });
  expect(await agent.next('reportAck', ({ reportId }) => reportId === broken)).toMatchObject({
    reason: 'REPORT_INVALID',
  });
});

test('while the scheduler does not answer nothing is acknowledged and the stream lives; afterwards all is decided', async () => {
  const agent = await harness.agent();
  const { leaseId } = harness.offer(agent.nodeId);
  await agent.connect();
  harness.scheduler.peer.refusal = new DomainError('unavailable', 'STORE_UNAVAILABLE', 'down');
  const reportId = anId();
  agent.report({ reportId, leaseId });
  agent.heartbeat(1);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(agent.received.map(({ $case }) => $case)).toEqual([]);
  harness.scheduler.peer.refusal = undefined;
  await eventually(async () => {
    agent.report({ reportId, leaseId });
    await agent.next('reportAck', () => true, 300);
  });
  agent.heartbeat(2);
  await agent.next('heartbeatAck');
  expect(agent.ended).toBe(false);
});

test('frames before hello, a second hello, an old protocol and a wrong word about the GPUs end the stream', async () => {
  const cases: [string, (agent: TestAgent) => void][] = [
    ['HELLO_EXPECTED', (agent) => agent.heartbeat(1)],
    ['HELLO_REPEATED', (agent) => [aHello(), aHello()].forEach((frame) => agent.send(frame))],
    ['PROTOCOL_VERSION_UNSUPPORTED', (agent) => agent.send(aHello({ protocolVersion: 0 }))],
    ['EMULATION_MISMATCH', (agent) => agent.send(aHello({ emulated: true }))],
    ['INVALID_FIELDS', (agent) => agent.send(aHello({ bootId: 'b' }))],
  ];
  for (const [reason, misbehave] of cases) {
    const agent = (await harness.agent()).open();
    misbehave(agent);
    expect(await agent.whyEnded()).toBe(reason);
  }
});

test('a frame that is too large is refused and changes nothing', async () => {
  const agent = await harness.agent();
  const { leaseId } = harness.offer(agent.nodeId);
  await agent.connect();
  agent.send({
    $case: 'log',
    value: { leaseId, leaseToken: 1n, offsetBytes: 0n, data: Buffer.alloc(300_000), cut: false, end: false },
  });
  expect(await agent.whyEnded()).toBe('REQUEST_TOO_LARGE');
  await harness.again(agent).connect();
});

test('certificates that registry does not know, of another authority, or none at all get no stream', async () => {
  const unknown = new TestAgent(
    anId(),
    await harness.identity.node(anId()),
    `127.0.0.1:${harness.port('agents')}`,
  ).open();
  unknown.send(aHello());
  expect(await unknown.whyEnded()).toBe('CERTIFICATE_REVOKED');
  const strangers = await Harness.start();
  try {
    const { node } = await strangers.agent();
    const stranger = new TestAgent(
      anId(),
      { ...node, tls: { ...node.tls, ca: harness.identity.ca } },
      `127.0.0.1:${harness.port('agents')}`,
    );
    await expect(
      stranger.client
        .fetchBlob({ leaseId: anId(), leaseToken: 1n, sha256: '', offsetBytes: 0n }, { deadlineMs: 2_000 })
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toThrow(GrpcCallError);
    stranger.close();
  } finally {
    await strangers.stop();
  }
  unknown.close();
});

test('a revoked node is cut within 5 s and not let in again', async () => {
  const agent = await (await harness.agent()).connect();
  harness.registry.revoke(agent.nodeId);
  const revokedMs = Date.now();
  expect(await agent.whyEnded()).toBe('CERTIFICATE_REVOKED');
  expect(Date.now() - revokedMs).toBeLessThan(5_000);
  const back = harness.again(agent).open();
  back.send(aHello());
  expect(await back.whyEnded()).toBe('CERTIFICATE_REVOKED');
});

test('an inventory that registry refuses for good ends the stream; a GPU bound elsewhere is tried again', async () => {
  harness.registry.peer.refuseOnly(
    'reportInventory',
    new DomainError('already-exists', 'GPU_BOUND_ELSEWHERE', 'bound'),
  );
  const agent = await (await harness.agent()).connect();
  agent.heartbeat(1);
  await agent.next('heartbeatAck');
  harness.registry.peer.refuseOnly('reportInventory', undefined);
  agent.heartbeat(2);
  await eventually(() =>
    expect(harness.registry.inventories.filter(({ nodeId }) => nodeId === agent.nodeId)).toHaveLength(1),
  );
  harness.registry.peer.refuseOnly('reportInventory', new DomainError('invalid', 'INVALID_FIELDS', 'no such model'));
  expect(await (await (await harness.agent()).connect()).whyEnded()).toBe('INVALID_FIELDS');
  harness.registry.peer.refuseOnly('reportInventory', undefined);
});

test('registry being down cuts nobody who was good', async () => {
  const agent = await (await harness.agent()).connect();
  harness.registry.peer.refusal = new DomainError('unavailable', 'STORE_UNAVAILABLE', 'down');
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  agent.heartbeat(1);
  await agent.next('heartbeatAck');
  harness.registry.peer.refusal = undefined;
});

test('200 agents connect at once, and each is answered', async () => {
  const agents = await Promise.all(Array.from({ length: 200 }, () => harness.agent()));
  const sequences = new Map<TestAgent, number>();
  const beat = (agent: TestAgent): void => {
    const sequence = (sequences.get(agent) ?? 0) + 1;
    sequences.set(agent, sequence);
    agent.heartbeat(sequence);
  };
  // Whoever is welcomed keeps beating while the others, on a busy machine, are still shaking hands.
  const pulse = setInterval(() => [...sequences.keys()].forEach(beat), 1_000);
  const answered = async (agent: TestAgent): Promise<TestAgent> => {
    try {
      agent.open().send(aHello());
      await agent.next('welcome', () => true, 90_000);
      beat(agent);
      await agent.next('heartbeatAck', () => true, 90_000);
      return agent;
    } catch (error) {
      // As real agents do: what may be tried again is tried again.
      if (!(error instanceof GrpcCallError && error.code === status.UNAVAILABLE)) throw error;
      sequences.delete(agent);
      agent.close();
      return answered(harness.again(agent));
    }
  };
  try {
    const connected = await Promise.all(agents.map(answered));
    expect(new Set(connected.map(({ nodeId }) => nodeId)).size).toBe(200);
    for (const agent of connected) agent.close();
  } finally {
    clearInterval(pulse);
  }
}, 120_000);
