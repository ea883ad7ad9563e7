import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DomainError } from '@daya/kernel';
import { DispatchServiceService, DownloadBlobResponse, UploadBlobResponse } from '@daya/proto/dispatch';
import { GetArtifactResponse, SchedulerServiceService } from '@daya/proto/scheduler';
import { World } from './support/world';

const MIB = 1_024 * 1_024;
const BLOB_MIB = 100;
const PIECE = Buffer.alloc(MIB, 7);
const SHA256 = createHash('sha256')
  .update(Buffer.alloc(BLOB_MIB * MIB, 7))
  .digest('hex');

/** 100 MB through three parties in one process, on a busy machine. */
jest.setTimeout(120_000);

let world: World;
beforeAll(async () => {
  world = await World.start();
  world.peers.handle(DispatchServiceService.uploadBlob, async (requests) => {
    const hash = createHash('sha256');
    let bytes = 0;
    let named = '';
    for await (const { sha256, chunk } of requests) {
      if (sha256 !== '') named = sha256;
      if (chunk.length > 128 * 1_024) throw new DomainError('invalid', 'INVALID_FIELDS', 'a chunk is too long');
      hash.update(chunk);
      bytes += chunk.length;
    }
    if (hash.digest('hex') !== named) throw new DomainError('invalid', 'BLOB_HASH_MISMATCH', 'the content differs');
    return UploadBlobResponse.fromPartial({ sha256: named, bytes: BigInt(bytes) });
  });
  world.peers.handle(SchedulerServiceService.getArtifact, async ({ path, taskIndex }) => {
    if (!path.startsWith('out/'))
      throw new DomainError('not-found', 'ARTIFACT_NOT_FOUND', 'artifact not found', { path });
    return GetArtifactResponse.fromPartial({
      artifact: { path, sha256: SHA256, bytes: taskIndex === 9 ? 0n : BigInt(BLOB_MIB * MIB) },
    });
  });
  world.peers.handle(DispatchServiceService.downloadBlob, async function* ({ offsetBytes }) {
    for (let left = BLOB_MIB * MIB - Number(offsetBytes); left > 0; left -= 128 * 1_024)
      yield DownloadBlobResponse.fromPartial({ chunk: Buffer.alloc(Math.min(left, 128 * 1_024), 7) });
  });
});
afterAll(() => world.stop());

/** The most bytes in buffers that were alive at once while `work` ran; client, gateway and store all live in this process. */
async function growthMib(work: () => Promise<void>): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const alive = (): number => {
    // What the first finds dead, the second has swept.
    collect();
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const before = alive();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, alive())), 500);
  await work();
  clearInterval(timer);
  return (most - before) / MIB;
}

async function* body(): AsyncGenerator<Buffer> {
  for (let index = 0; index < BLOB_MIB; index += 1) yield PIECE;
}

const put = (path: string, source: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  world.fetch(path, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', ...headers },
    body: source as RequestInit['body'],
    duplex: 'half',
  } as RequestInit);

test('100 MB go up and come down again without being held', async () => {
  await (await put(`/v1/blobs/${createHash('sha256').digest('hex')}`, '')).text();
  const up = await growthMib(async () => {
    const response = await put(`/v1/blobs/${SHA256}`, ReadableStream.from(body()));
    expect(await response.json()).toEqual({ sha256: SHA256, bytes: String(BLOB_MIB * MIB) });
  });
  const hash = createHash('sha256');
  let bytes = 0;
  const down = await growthMib(async () => {
    const response = await world.fetch('/v1/jobs/j/tasks/0/artifacts/out/a%20b.bin');
    expect(response.headers.get('content-length')).toBe(String(BLOB_MIB * MIB));
    expect(response.headers.get('etag')).toBe(`"${SHA256}"`);
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  });
  expect(bytes).toBe(BLOB_MIB * MIB);
  expect(hash.digest('hex')).toBe(SHA256);
  // Windows and queues of three parties, and buffers that are dead but not swept yet; holding the blob would be 100 and more.
  expect(Math.max(up, down)).toBeLessThan(50);
});

test('an empty blob and an empty artifact', async () => {
  const empty = createHash('sha256').digest('hex');
  expect(await (await put(`/v1/blobs/${empty}`, '')).json()).toEqual({ sha256: empty, bytes: '0' });
});

test('uploads are refused for their hash, type, size and content', async () => {
  expect(await world.problem(put('/v1/blobs/ABC', 'x'))).toMatchObject({
    status: 400,
    violations: [{ field: 'sha256' }],
  });
  expect(await world.problem(put(`/v1/blobs/${SHA256}`, 'x', { 'content-type': 'text/plain' }))).toMatchObject({
    status: 415,
  });
  expect(await world.problem(put(`/v1/blobs/${SHA256}`, 'x'))).toMatchObject({
    status: 400,
    reason: 'BLOB_HASH_MISMATCH',
  });
});

test('an upload without length is cut where it is too large', async () => {
  const small = await World.start({ BLOB_BYTES_MAX: String(2 * MIB) });
  small.peers.handle(DispatchServiceService.uploadBlob, async (requests) => {
    for await (const message of requests) expect(message).toBeDefined();
    return UploadBlobResponse.fromPartial({});
  });
  const options = { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, duplex: 'half' };
  const path = `/v1/blobs/${SHA256}`;
  const streamed = small.fetch(path, { ...options, body: ReadableStream.from([PIECE, PIECE, PIECE]) } as RequestInit);
  expect(await small.problem(streamed)).toMatchObject({ status: 413, reason: 'REQUEST_TOO_LARGE' });
  const declared = small.fetch(path, { ...options, body: Buffer.alloc(3 * MIB) } as RequestInit);
  expect(await small.problem(declared)).toMatchObject({ status: 413, metadata: { limit_bytes: String(2 * MIB) } });
  await small.stop();
});

test('a refusal by the store in the middle of a long body reaches the caller', async () => {
  const usual = world.peers;
  usual.handle(DispatchServiceService.uploadBlob, async () => {
    throw new DomainError('exhausted', 'STORE_FULL', 'the store is full');
  });
  const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = httpRequest(`${world.http}/v1/blobs/${SHA256}`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${[...world.keys.keys()][0]}`,
        'content-type': 'application/octet-stream',
        'content-length': 8 * MIB,
      },
    });
    request.on('response', (response) => {
      let text = '';
      response
        .on('data', (chunk) => (text += chunk))
        .on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.on('error', reject);
    for (let index = 0; index < 8; index += 1) request.write(PIECE);
    request.end();
  });
  expect(answer.status).toBe(429);
  expect(JSON.parse(answer.text)).toMatchObject({ reason: 'STORE_FULL' });
});

test('a slow store holds the sender back', async () => {
  let taken = 0;
  let go: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (go = resolve));
  world.peers.handle(DispatchServiceService.uploadBlob, async (requests) => {
    let bytes = 0;
    for await (const { chunk } of requests) {
      bytes += chunk.length;
      if (bytes > MIB) await opened;
    }
    return UploadBlobResponse.fromPartial({ sha256: SHA256, bytes: BigInt(bytes) });
  });
  async function* counted(): AsyncGenerator<Buffer> {
    for (let index = 0; index < BLOB_MIB; index += 1) {
      taken += 1;
      yield PIECE;
    }
  }
  const answer = put(`/v1/blobs/${SHA256}`, ReadableStream.from(counted()));
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const whileHeld = taken;
  expect(whileHeld).toBeLessThan(30);
  go();
  expect(await (await answer).json()).toMatchObject({ bytes: String(BLOB_MIB * MIB) });
});

test('artifacts: missing, by hash, from an offset, odd paths', async () => {
  expect(await world.problem(world.fetch('/v1/jobs/j/tasks/0/artifacts/none'))).toMatchObject({
    status: 404,
    reason: 'ARTIFACT_NOT_FOUND',
  });
  expect(
    (await world.fetch('/v1/jobs/j/tasks/0/artifacts/out/x', { headers: { 'if-none-match': `"${SHA256}"` } })).status,
  ).toBe(304);
  const part = await world.fetch('/v1/jobs/j/tasks/0/artifacts/out/x', {
    headers: { range: `bytes=${BLOB_MIB * MIB - 10}-` },
  });
  expect(part.status).toBe(206);
  expect((await part.arrayBuffer()).byteLength).toBe(10);
  const beyond = world.fetch('/v1/jobs/j/tasks/0/artifacts/out/x', { headers: { range: `bytes=${BLOB_MIB * MIB}-` } });
  expect(await world.problem(beyond)).toMatchObject({ status: 416 });
  const raw = await world.problem(world.fetch('/v1/jobs/j/tasks/0/artifacts/..%2F..%2Fetc%2Fpasswd'));
  expect(raw.metadata['path']).toBe('../../etc/passwd');
});

test('a download whose bytes are not what was promised is cut, not completed', async () => {
  const short = await world.fetch('/v1/jobs/j/tasks/9/artifacts/out/x').catch((error: unknown) => error);
  const outcome = short instanceof Response ? await short.arrayBuffer().catch((error: unknown) => error) : short;
  expect(outcome).toMatchObject({ name: 'TypeError' });
});
