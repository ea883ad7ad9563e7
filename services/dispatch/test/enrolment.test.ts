import { createClient, loadConfig, type GrpcClient } from '@daya/nest';
import { AgentServiceService, EnrolmentServiceService } from '@daya/proto/dispatch';
import { testClient } from '@daya/testing';
import { DispatchServiceService } from '@daya/proto/dispatch';
import { configSchema } from '../src/config';
import { anId, Harness } from './support/harness';

let harness: Harness;
let client: GrpcClient<typeof EnrolmentServiceService>;
beforeAll(async () => {
  harness = await Harness.start({ ENROL_BURST: '12', ENROL_PER_MINUTE: '1' });
  const tls = { ca: harness.identity.ca };
  client = createClient(EnrolmentServiceService, {
    url: `127.0.0.1:${harness.port('enrolment')}`,
    audience: 'dispatch',
    tls,
  });
});
afterAll(async () => {
  client.onModuleDestroy();
  await harness.stop();
});

const request = { token: 'token', certificateRequest: Buffer.from('csr') };
const renewal = () => ({
  nodeId: anId(),
  generation: 3,
  certificateRequest: Buffer.from('csr'),
  signature: Buffer.alloc(64),
});

test('Enrol and Renew are relayed to registry without a client certificate', async () => {
  const enrolled = await client.enrol(request);
  expect(enrolled).toMatchObject({ certificateChain: 'pem', generation: 1, agentAddress: '127.0.0.1:7000' });
  expect(enrolled.schedulerPublicKey).toHaveLength(32);
  expect(harness.registry.enrolments).toEqual([request]);
  const wanted = renewal();
  expect(await client.renew(wanted)).toMatchObject({ certificateChain: 'pem2', generation: 4 });
  expect(harness.registry.renewals).toEqual([wanted]);
});

test('malformed requests name every field and do not reach registry', async () => {
  const fieldsOf = async (call: Promise<unknown>): Promise<string[]> => {
    const error = (await call.catch((cause: unknown) => cause)) as { violations: { field: string }[] };
    return error.violations.map(({ field }) => field);
  };
  expect(await fieldsOf(client.enrol({ token: '', certificateRequest: Buffer.alloc(9_000) }))).toEqual([
    'token',
    'certificate_request',
  ]);
  const bad = { nodeId: 'n', generation: 0, certificateRequest: Buffer.alloc(0), signature: Buffer.alloc(1) };
  expect(await fieldsOf(client.renew(bad))).toEqual(['node_id', 'generation', 'certificate_request', 'signature']);
  expect([harness.registry.enrolments.length, harness.registry.renewals.length]).toEqual([1, 1]);
});

test('each door serves its own and nothing else', async () => {
  const tls = { ca: harness.identity.ca };
  const agents = createClient(AgentServiceService, {
    url: `127.0.0.1:${harness.port('enrolment')}`,
    audience: 'dispatch',
    tls,
  });
  const blob = { leaseId: anId(), leaseToken: 1n, sha256: '', offsetBytes: 0n };
  await expect(agents.fetchBlob(blob, { deadlineMs: 2_000 })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    reason: 'UNIMPLEMENTED',
  });
  agents.onModuleDestroy();
  const { node } = await harness.agent();
  const onAgentsDoor = createClient(EnrolmentServiceService, {
    url: `127.0.0.1:${harness.port('agents')}`,
    audience: 'dispatch',
    tls: node.tls,
  });
  await expect(onAgentsDoor.enrol(request)).rejects.toMatchObject({ reason: 'UNIMPLEMENTED' });
  onAgentsDoor.onModuleDestroy();
  // A service on its own behalf owns no blobs.
  const services = testClient(DispatchServiceService, {
    identity: harness.identity,
    from: 'scheduler',
    url: `127.0.0.1:${harness.port('grpc')}`,
    audience: 'dispatch',
  });
  await expect(
    services
      .downloadBlob({ sha256: 'a'.repeat(64), offsetBytes: 0n }, { deadlineMs: 2_000 })
      [Symbol.asyncIterator]()
      .next(),
  ).rejects.toMatchObject({ reason: 'SERVICE_NOT_ALLOWED' });
  services.onModuleDestroy();
});

test('an address has its rate', async () => {
  const results = await Promise.allSettled(Array.from({ length: 15 }, () => client.enrol(request)));
  const refused = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }) => (reason as { reason: string }).reason);
  expect(refused.length).toBeGreaterThanOrEqual(5);
  expect(new Set(refused)).toEqual(new Set(['RATE_LIMITED']));
});

test('a configuration with problems says all of them', () => {
  const problems = (): unknown => loadConfig(configSchema, { DISPATCH_QUEUE_COUNT: '3', AGENT_ADDRESS: 'nowhere' });
  for (const name of [
    'DISPATCH_QUEUE_COUNT',
    'AGENT_ADDRESS',
    'STORE_FOLDER',
    'REGISTRY_URL',
    'REDIS_URL',
    'KAFKA_BROKERS',
    'AGENT_PORT',
  ]) {
    expect(problems).toThrow(name);
  }
});
