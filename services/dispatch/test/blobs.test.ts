import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { JobSpec, LeaseReportOutcome, type Artifact } from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { anId, aMember, Harness, ORGANISATION, STRANGERS } from './support/harness';
import type { TestAgent } from './support/test-agent';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start({ STORE_QUOTA_BYTES: String(3_000_000), BLOB_BYTES_MAX: String(1_000_000) });
});
afterAll(() => harness.stop());

const shaOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

async function put(bytes: Buffer, sha256 = shaOf(bytes), organisationId = ORGANISATION): Promise<string> {
  async function* messages() {
    yield { sha256, chunk: Buffer.alloc(0) };
    for (const chunk of chunksOf(bytes)) yield await Promise.resolve({ sha256: '', chunk });
  }
  await harness.dispatch().uploadBlob(messages(), { caller: aMember(organisationId) });
  return sha256;
}

async function upload(
  agent: TestAgent,
  leaseId: string,
  bytes: Buffer,
  header: { sha256?: string; bytes?: bigint; leaseToken?: bigint } = {},
) {
  async function* messages() {
    yield {
      header: { leaseId, leaseToken: 1n, sha256: shaOf(bytes), bytes: BigInt(bytes.length), ...header },
      chunk: Buffer.alloc(0),
    };
    for (const chunk of chunksOf(bytes)) yield await Promise.resolve({ header: undefined, chunk });
  }
  return agent.client.uploadArtifact(messages(), { deadlineMs: 10_000 });
}

async function collect(stream: AsyncIterable<{ chunk: Uint8Array }>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const { chunk } of stream) parts.push(chunk);
  return Buffer.concat(parts);
}

const fetch = (agent: TestAgent, leaseId: string, sha256: string, offsetBytes = 0n, leaseToken = 1n): Promise<Buffer> =>
  collect(agent.client.fetchBlob({ leaseId, leaseToken, sha256, offsetBytes }, { deadlineMs: 10_000 }));

async function exit(agent: TestAgent, leaseId: string, artifacts: Artifact[]) {
  const reportId = anId();
  agent.report({
    reportId,
    leaseId,
    report: { $case: 'exited', value: { exitCode: 0, reason: 'EXITED', cumulativeMs: 5n, artifacts } },
  });
  return agent.next('reportAck', (ack) => ack.reportId === reportId);
}

const leftovers = (): string[] => readdirSync(join(harness.folder, 'tmp'));

test('a customer’s blob comes back byte by byte, from any offset, to its organisation only', async () => {
  const bytes = randomBytes(400_000);
  const sha256 = await put(bytes);
  expect(harness.scheduler.blobs.at(-1)).toMatchObject({ organisationId: ORGANISATION, sha256, bytes: 400_000n });
  const get = (offsetBytes: bigint, organisationId = ORGANISATION, sha = sha256) =>
    collect(
      harness
        .dispatch()
        .downloadBlob({ sha256: sha, offsetBytes }, { caller: aMember(organisationId), deadlineMs: 5_000 }),
    );
  expect((await get(0n)).equals(bytes)).toBe(true);
  expect((await get(399_990n)).equals(bytes.subarray(399_990))).toBe(true);
  expect(await get(400_000n)).toHaveLength(0);
  await expect(get(400_001n)).rejects.toMatchObject({ reason: 'OFFSET_OUT_OF_RANGE' });
  await expect(get(-1n)).rejects.toMatchObject({ reason: 'INVALID_FIELDS' });
  await expect(get(0n, STRANGERS)).rejects.toMatchObject({ reason: 'BLOB_NOT_FOUND' });
  await expect(get(0n, ORGANISATION, '../../../etc/passwd')).rejects.toMatchObject({ reason: 'INVALID_FIELDS' });
});

test('the same blob is registered once for each organisation under one request id', async () => {
  const bytes = randomBytes(10);
  await put(bytes);
  await put(bytes);
  await put(bytes, shaOf(bytes), STRANGERS);
  const ids = harness.scheduler.blobs.filter(({ sha256 }) => sha256 === shaOf(bytes)).map(({ requestId }) => requestId);
  expect([ids.length, new Set(ids).size, ids[0] === ids[1]]).toEqual([3, 2, true]);
});

test('wrong content, too much content and bad names are refused, and nothing of them stays', async () => {
  await expect(put(randomBytes(10), 'a'.repeat(64))).rejects.toMatchObject({ reason: 'BLOB_HASH_MISMATCH' });
  await expect(put(randomBytes(10), '../x')).rejects.toMatchObject({ reason: 'INVALID_FIELDS' });
  await expect(put(randomBytes(1_000_001))).rejects.toMatchObject({ reason: 'BLOB_TOO_LARGE' });
  async function* large() {
    yield await Promise.resolve({ sha256: 'a'.repeat(64), chunk: Buffer.alloc(140_000) });
  }
  await expect(harness.dispatch().uploadBlob(large(), { caller: aMember() })).rejects.toMatchObject({
    reason: 'INVALID_FIELDS',
  });
  await eventually(() => expect(leftovers()).toEqual([]));
  expect(existsSync(join(harness.folder, 'blobs', 'aa', 'a'.repeat(64)))).toBe(false);
});

test('the store refuses what is beyond its quota and takes the next that fits', async () => {
  const small = await Harness.start({ STORE_QUOTA_BYTES: '1000' });
  const one = async (bytes: Buffer): Promise<unknown> => {
    async function* messages() {
      yield await Promise.resolve({ sha256: shaOf(bytes), chunk: bytes });
    }
    return small.dispatch().uploadBlob(messages(), { caller: aMember() });
  };
  try {
    const kept = randomBytes(600);
    await one(kept);
    await expect(one(randomBytes(600))).rejects.toMatchObject({ reason: 'STORE_FULL' });
    await one(randomBytes(300));
    await expect(one(randomBytes(200))).rejects.toMatchObject({ reason: 'STORE_FULL' });
  } finally {
    await small.stop();
  }
});

test('a lease reaches its image and inputs, and nothing else', async () => {
  const [config, layer, input, secret] = [1, 2, 3, 4].map(() => randomBytes(500)) as [Buffer, Buffer, Buffer, Buffer];
  const digest = (bytes: Buffer) => ({ digest: `sha256:${shaOf(bytes)}`, size: bytes.length });
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, config: digest(config), layers: [digest(layer), digest(secret)] }),
  );
  for (const bytes of [config, layer, input, manifest]) await put(bytes);
  await put(secret, shaOf(secret), STRANGERS);
  const agent = await (await harness.agent()).connect();
  const spec = JobSpec.fromPartial({
    image: { digest: `sha256:${shaOf(manifest)}` },
    inputs: [{ sha256: shaOf(input), path: 'in' }],
  });
  const { leaseId } = harness.offer(agent.nodeId, { spec });
  for (const bytes of [manifest, config, layer, input])
    expect((await fetch(agent, leaseId, shaOf(bytes))).equals(bytes)).toBe(true);
  expect((await fetch(agent, leaseId, shaOf(layer), 490n)).equals(layer.subarray(490))).toBe(true);
  // The manifest names a stranger's layer: the paying organisation does not own it.
  await expect(fetch(agent, leaseId, shaOf(secret))).rejects.toMatchObject({ reason: 'BLOB_NOT_FOUND' });
  await expect(fetch(agent, leaseId, await put(randomBytes(5)))).rejects.toMatchObject({ reason: 'BLOB_NOT_FOUND' });
  await expect(fetch(agent, leaseId, '../../../../etc/passwd')).rejects.toMatchObject({ reason: 'INVALID_FIELDS' });
  await expect(fetch(agent, '../x', shaOf(input))).rejects.toMatchObject({ reason: 'INVALID_FIELDS' });
  await expect(fetch(agent, leaseId, shaOf(input), 0n, 2n)).rejects.toMatchObject({ reason: 'LEASE_TOKEN_STALE' });
  const other = await (await harness.agent()).connect();
  await expect(fetch(other, leaseId, shaOf(input))).rejects.toMatchObject({ reason: 'LEASE_NOT_FOUND' });
  await expect(fetch(agent, anId(), shaOf(input))).rejects.toMatchObject({ reason: 'LEASE_NOT_FOUND' });
});

test('a result counts only when its files were uploaded by its own lease', async () => {
  const agent = await (await harness.agent()).connect();
  const [one, two] = [harness.offer(agent.nodeId), harness.offer(agent.nodeId)];
  const file = randomBytes(250_000);
  const artifact = { path: 'frames/0001.png', bytes: 250_000n, sha256: shaOf(file) };
  expect(await exit(agent, one.leaseId, [artifact])).toMatchObject({
    outcome: LeaseReportOutcome.REFUSED,
    reason: 'ARTIFACT_NOT_UPLOADED',
  });
  await upload(agent, one.leaseId, file);
  expect(await exit(agent, two.leaseId, [artifact])).toMatchObject({ reason: 'ARTIFACT_NOT_UPLOADED' });
  expect(await exit(agent, one.leaseId, [{ ...artifact, bytes: 1n }])).toMatchObject({
    reason: 'ARTIFACT_SIZE_MISMATCH',
  });
  for (const path of ['../x', '/etc/passwd', 'a//b', 'a\\b', '']) {
    expect(await exit(agent, one.leaseId, [{ ...artifact, path }])).toMatchObject({ reason: 'ARTIFACT_PATH_INVALID' });
  }
  expect(harness.scheduler.reports.filter(({ leaseId }) => leaseId === one.leaseId)).toEqual([]);
  expect(await exit(agent, one.leaseId, [artifact])).toMatchObject({ outcome: LeaseReportOutcome.APPLIED });
  await expect(upload(agent, one.leaseId, file)).rejects.toMatchObject({ reason: 'LEASE_ENDED' });
});

test('uploads of agents are checked in size, hash and lease', async () => {
  const agent = await (await harness.agent()).connect();
  const { leaseId } = harness.offer(agent.nodeId);
  const file = randomBytes(1_000);
  await expect(upload(agent, leaseId, file, { sha256: 'b'.repeat(64) })).rejects.toMatchObject({
    reason: 'BLOB_HASH_MISMATCH',
  });
  await expect(upload(agent, leaseId, file, { bytes: 999n })).rejects.toMatchObject({ reason: 'BLOB_SIZE_MISMATCH' });
  await expect(upload(agent, leaseId, file, { bytes: 1_001n })).rejects.toMatchObject({ reason: 'BLOB_SIZE_MISMATCH' });
  await expect(upload(agent, leaseId, file, { bytes: -1n })).rejects.toMatchObject({ reason: 'INVALID_FIELDS' });
  await expect(upload(agent, leaseId, file, { sha256: '../../etc/cron.d/x' })).rejects.toMatchObject({
    reason: 'INVALID_FIELDS',
  });
  await expect(upload(agent, leaseId, file, { leaseToken: 2n })).rejects.toMatchObject({ reason: 'LEASE_TOKEN_STALE' });
  await expect(upload(agent, anId(), file)).rejects.toMatchObject({ reason: 'LEASE_NOT_FOUND' });
  await eventually(() => expect(leftovers()).toEqual([]));
  harness.registry.revoke(agent.nodeId);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await expect(upload(agent, leaseId, file)).rejects.toMatchObject({ reason: 'CERTIFICATE_REVOKED' });
});

test('what a lease uploaded before a restart still counts after it', async () => {
  const agent = await (await harness.agent()).connect();
  const { leaseId } = harness.offer(agent.nodeId);
  const file = randomBytes(100);
  await upload(agent, leaseId, file);
  harness.scheduler.offers.delete(leaseId);
  await harness.service.stop();
  await harness.boot();
  const back = await harness.again(agent).connect();
  await upload(back, leaseId, randomBytes(50));
  const artifact = { path: 'weights', bytes: 100n, sha256: shaOf(file) };
  expect(await exit(back, leaseId, [artifact])).toMatchObject({ outcome: LeaseReportOutcome.APPLIED });
}, 30_000);
