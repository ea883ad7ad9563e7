import { createPublicKey, randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { metrics } from '@daya/nest';
import { nodeOfSubjectAltName } from '@daya/pki';
import { fromTimestamp } from '@daya/proto';
import { NodeCertified, UnschedulableReason } from '@daya/proto/registry';
import { eventually } from '@daya/testing';
import { aKey, anEnrolledNode, anInventory, aToken, renewalSignature } from './a-node';
import { as, refusalOf, TestRegistry } from './harness';

let registry: TestRegistry;
let dispatch: ReturnType<TestRegistry['providers']>;
let gateway: ReturnType<TestRegistry['providers']>;
beforeAll(async () => {
  registry = await TestRegistry.start();
  dispatch = registry.providers('dispatch');
  gateway = registry.providers();
});
afterAll(async () => {
  await registry.stop();
});

type Enrolled = Awaited<ReturnType<typeof anEnrolledNode>>;

const renew = (
  node: Pick<Enrolled, 'nodeId'>,
  signer: Enrolled['privateKey'],
  certificateRequest: Buffer,
  generation: number,
) => {
  const signature = renewalSignature(signer, certificateRequest, generation);
  return dispatch.renewNodeCertificate({ nodeId: node.nodeId, generation, certificateRequest, signature });
};
const rawKey = (pem: string): Buffer =>
  Buffer.from((new X509Certificate(pem).publicKey.export({ format: 'jwk' }) as { x: string }).x, 'base64url');
const typesOf = async (nodeId: string): Promise<string[]> =>
  (await registry.sql<{ type: string }>('SELECT type FROM outbox WHERE key = $1 ORDER BY position', [nodeId])).map(
    ({ type }) => type.split('.').at(-1)!,
  );

test('a token enrols one node: a certificate of its key for at most 24 hours, generation 1, and the events of it', async () => {
  const node = await anEnrolledNode(registry);
  const certificate = new X509Certificate(node.certificateChain);
  expect(certificate.verify(createPublicKey(readFileSync(join(registry.identity.folder, 'ca.pem'))))).toBe(true);
  expect(nodeOfSubjectAltName(certificate.subjectAltName!)).toEqual({ nodeId: node.nodeId, generation: 1 });
  expect(fromTimestamp(node.expireTime!).getTime() - Date.now()).toBeLessThanOrEqual(86_400_000);
  expect(new Date(certificate.validTo).getTime() - Date.now()).toBeLessThanOrEqual(86_400_000);
  const jwks = JSON.parse(readFileSync(registry.identity.env('registry').JWKS_FILE, 'utf8')) as {
    keys: { kid: string; x: string }[];
  };
  expect(node.schedulerPublicKey.toString('base64url')).toBe(jwks.keys.find(({ kid }) => kid === 'scheduler')!.x);
  const events = await registry.sql<{ type: string; aggregate_version: string; payload: Buffer }>(
    'SELECT * FROM outbox WHERE key = $1 ORDER BY position',
    [node.nodeId],
  );
  expect(events.map(({ type, aggregate_version }) => [type, aggregate_version])).toEqual([
    ['daya.registry.v1.NodeChanged', '1'],
    ['daya.registry.v1.NodeCertified', '2'],
  ]);
  await eventually(
    async () => {
      expect(await registry.sql('SELECT 1 FROM outbox WHERE key = $1 AND publish_time IS NULL', [node.nodeId])).toEqual(
        [],
      );
    },
    { timeoutMs: 20_000 },
  );
  const ranges = await registry.kafka.connect().admin().ranges('daya.registry.nodes');
  expect(ranges.reduce((sum, { low, high }) => sum + high - low, 0n)).toBeGreaterThanOrEqual(2n);
  expect(NodeCertified.decode(events[1]!.payload)).toEqual({
    nodeId: node.nodeId,
    generation: 1,
    publicKey: rawKey(node.certificateChain),
  });
});

/** How often somebody was caught with a token that is used up. */
const reuses = async (): Promise<number> =>
  Number(/^daya_registry_enrolment_tokens_reused_total (\d+)$/m.exec(await metrics.metrics())?.[1]);

test('of those that use a token at once, one enrols and the others raise an alarm; the same request again gets the same answer', async () => {
  const before = await reuses();
  const { owner, providerId } = await registry.aProvider();
  const token = await aToken(registry, owner, providerId);
  const keys = await Promise.all([aKey(), aKey(), aKey()]);
  const attempts = await Promise.allSettled(
    keys.map(({ certificateRequest }) => dispatch.enrolNode({ token, certificateRequest })),
  );
  const won = attempts.flatMap((attempt, index) =>
    attempt.status === 'fulfilled' ? [{ ...attempt.value, ...keys[index]! }] : [],
  );
  expect(won).toHaveLength(1);
  const lost = attempts.flatMap((attempt) =>
    attempt.status === 'rejected' ? [(attempt.reason as { reason: string }).reason] : [],
  );
  expect(lost).toEqual(['ENROLMENT_TOKEN_USED', 'ENROLMENT_TOKEN_USED']);
  expect(await reuses()).toBe(before + 2);
  const again = await dispatch.enrolNode({ token, certificateRequest: won[0]!.certificateRequest });
  expect([again.nodeId, again.certificateChain]).toEqual([won[0]!.nodeId, won[0]!.certificateChain]);
  expect(await reuses()).toBe(before + 2);
  expect((await gateway.listNodes({ pageSize: 0, pageToken: '' }, as(owner))).nodes).toHaveLength(1);
});

test('a token that was never issued, has expired, or a broken certificate request is refused', async () => {
  const { owner, providerId } = await registry.aProvider();
  const { certificateRequest } = await aKey();
  expect(await refusalOf(dispatch.enrolNode({ token: 'dayaenrol_x', certificateRequest }))).toMatchObject({
    code: status.UNAUTHENTICATED,
    reason: 'ENROLMENT_TOKEN_INVALID',
  });
  const token = await aToken(registry, owner, providerId);
  const broken = Buffer.from(certificateRequest);
  broken[broken.length - 1]! ^= 1;
  expect(await refusalOf(dispatch.enrolNode({ token, certificateRequest: broken }))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    fields: ['certificate_request: BAD_CERTIFICATE_REQUEST'],
  });
  expect((await refusalOf(dispatch.enrolNode({ token: '', certificateRequest: Buffer.alloc(0) }))).fields).toEqual([
    'token: REQUIRED',
    'certificate_request: REQUIRED',
  ]);
  await registry.sql(`UPDATE enrolment_token SET expire_time = now() WHERE provider_id = $1`, [providerId]);
  expect(await refusalOf(dispatch.enrolNode({ token, certificateRequest }))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: 'ENROLMENT_TOKEN_EXPIRED',
  });
});

test('a token is shown once, stored as a hash, and only for the own provider', async () => {
  const mine = await registry.aProvider();
  const other = await registry.aProvider();
  const request = {
    requestId: randomUUID(),
    providerId: mine.providerId,
    displayName: 'n',
    region: 'eu',
    emulated: true,
  };
  const { token, expireTime } = await gateway.createEnrolmentToken(request, as(mine.owner));
  expect(await gateway.createEnrolmentToken(request, as(mine.owner))).toEqual({ token: '', expireTime });
  const stored = JSON.stringify(await registry.sql('SELECT * FROM enrolment_token'));
  expect(stored).not.toContain(token.split('_')[2]);
  const foreign = { ...request, requestId: randomUUID(), providerId: other.providerId };
  expect(await refusalOf(gateway.createEnrolmentToken(foreign, as(mine.owner)))).toMatchObject({
    code: status.NOT_FOUND,
    reason: 'PROVIDER_NOT_FOUND',
  });
});

test('a renewal gives the next generation; a lost answer can be asked for again', async () => {
  const node = await anEnrolledNode(registry);
  const next = await aKey();
  const renewed = await renew(node, node.privateKey, next.certificateRequest, 1);
  expect(renewed.generation).toBe(2);
  expect(await renew(node, node.privateKey, next.certificateRequest, 1)).toEqual(renewed);
  const third = await renew(node, next.privateKey, (await aKey()).certificateRequest, 2);
  expect(third.generation).toBe(3);
  expect(await typesOf(node.nodeId)).toEqual([
    'NodeChanged',
    'NodeCertified',
    'NodeChanged',
    'NodeCertified',
    'NodeChanged',
    'NodeCertified',
  ]);
  const check = await dispatch.checkNodeCertificate({ nodeId: node.nodeId, generation: 3 });
  expect(check).toEqual({ valid: true, publicKey: rawKey(third.certificateChain), emulated: true });
  await registry.sql(
    `UPDATE node_certificate SET issue_time = issue_time - interval '6 minutes', expire_time = expire_time - interval '6 minutes' WHERE node_id = $1`,
    [node.nodeId],
  );
  expect((await dispatch.checkNodeCertificate({ nodeId: node.nodeId, generation: 2 })).valid).toBe(false);
});

test('many certificates are checked in one call, each answer in its place', async () => {
  const [first, second] = [await anEnrolledNode(registry), await anEnrolledNode(registry)];
  await gateway.revokeNode({ requestId: randomUUID(), nodeId: second.nodeId, reason: 'sold' }, as(second.owner));
  const ids = [first, second, { nodeId: randomUUID() }, first].map(({ nodeId }) => ({ nodeId, generation: 1 }));
  const single = await Promise.all(ids.map((one) => dispatch.checkNodeCertificate(one)));
  const { checks } = await dispatch.batchCheckNodeCertificates({
    certificates: [...ids, { ...ids[0]!, generation: 2 }],
  });
  expect(checks.slice(0, 4)).toEqual(single);
  expect(checks.map(({ valid }) => valid)).toEqual([true, false, false, true, false]);
  const bad = [
    { nodeId: 'x', generation: 1 },
    { ...ids[0]!, generation: 0 },
  ];
  expect((await refusalOf(dispatch.batchCheckNodeCertificates({ certificates: bad }))).fields).toEqual([
    'certificates[0].node_id: MALFORMED',
    'certificates[1].generation: OUT_OF_RANGE',
  ]);
  const many = { certificates: Array.from({ length: 101 }, () => ids[0]!) };
  expect((await refusalOf(dispatch.batchCheckNodeCertificates(many))).fields).toEqual(['certificates: TOO_MANY']);
  expect((await refusalOf(dispatch.batchCheckNodeCertificates({ certificates: [] }))).fields).toEqual([
    'certificates: REQUIRED',
  ]);
});

test('a generation that is used twice revokes the node, whoever is the thief', async () => {
  const node = await anEnrolledNode(registry);
  await dispatch.reportInventory({
    requestId: randomUUID(),
    nodeId: node.nodeId,
    inventory: anInventory(['GPU-stolen']),
  });
  const [owner, thief] = await Promise.all([aKey(), aKey()]);
  const attempts = await Promise.allSettled(
    [owner, thief].map(({ certificateRequest }) => renew(node, node.privateKey, certificateRequest, 1)),
  );
  expect(attempts.map(({ status: outcome }) => outcome).sort()).toEqual(['fulfilled', 'rejected']);
  expect(attempts.find((attempt) => attempt.status === 'rejected')).toMatchObject({
    reason: { code: status.PERMISSION_DENIED, reason: 'CERTIFICATE_GENERATION_REUSED' },
  });
  for (const generation of [1, 2])
    expect((await dispatch.checkNodeCertificate({ nodeId: node.nodeId, generation })).valid).toBe(false);
  const shown = (await gateway.getNode({ nodeId: node.nodeId }, as(node.owner))).node!;
  expect(shown).toMatchObject({ schedulable: false, unschedulableReason: UnschedulableReason.REVOKED });
  expect((await typesOf(node.nodeId)).slice(-2)).toEqual(['NodeChanged', 'NodeRevoked']);
  expect(await refusalOf(renew(node, owner.privateKey, thief.certificateRequest, 2))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: 'NODE_REVOKED',
  });
  expect(await registry.sql(`SELECT 1 FROM gpu_binding WHERE uuid = 'GPU-stolen'`)).toEqual([]);
});

test('nobody without a key of the node renews it or gets it revoked', async () => {
  const node = await anEnrolledNode(registry);
  const stranger = await aKey();
  const denied = { code: status.PERMISSION_DENIED, reason: 'SIGNATURE_INVALID' };
  expect(await refusalOf(renew(node, stranger.privateKey, stranger.certificateRequest, 1))).toMatchObject(denied);
  await renew(node, node.privateKey, (await aKey()).certificateRequest, 1);
  expect(await refusalOf(renew(node, stranger.privateKey, stranger.certificateRequest, 1))).toMatchObject(denied);
  expect(await refusalOf(renew(node, node.privateKey, stranger.certificateRequest, 7))).toMatchObject(denied);
  expect((await dispatch.checkNodeCertificate({ nodeId: node.nodeId, generation: 2 })).valid).toBe(true);
  expect(
    await refusalOf(renew({ nodeId: randomUUID() }, node.privateKey, stranger.certificateRequest, 1)),
  ).toMatchObject({ code: status.NOT_FOUND });
});

test('a platform for real GPUs gives no tokens for emulated ones', async () => {
  const strict = await TestRegistry.start({ ALLOW_EMULATED_GPUS: 'false' });
  try {
    const { owner, providerId } = await strict.aProvider();
    const client = strict.providers();
    const request = { requestId: randomUUID(), providerId, displayName: 'n', region: 'eu', emulated: true };
    expect(await refusalOf(client.createEnrolmentToken(request, as(owner)))).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: 'EMULATED_GPUS_NOT_ALLOWED',
    });
    const { token } = await client.createEnrolmentToken({ ...request, emulated: false }, as(owner));
    const agent = strict.providers('dispatch');
    const { nodeId } = await agent.enrolNode({ token, certificateRequest: (await aKey()).certificateRequest });
    const report = (driverVersion: string) =>
      agent.reportInventory({ requestId: randomUUID(), nodeId, inventory: anInventory(undefined, { driverVersion }) });
    expect(await refusalOf(report('EMULATED'))).toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: 'NODE_NOT_EMULATED',
    });
    expect((await report('570.1')).node).toMatchObject({ emulated: false });
  } finally {
    await strict.stop();
  }
});
