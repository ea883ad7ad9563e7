import { connect } from 'node:net';
import { CreateProjectResponse, OrganisationServiceService } from '@daya/proto/registry';
import { SchedulerServiceService, SubmitJobResponse } from '@daya/proto/scheduler';
import { ALICE, World } from './support/world';

let world: World;
beforeAll(async () => {
  world = await World.start();
  world.peers.handle(SchedulerServiceService.submitJob, async () => SubmitJobResponse.fromPartial({}));
  world.peers.handle(OrganisationServiceService.createProject, async () => CreateProjectResponse.fromPartial({}));
});
afterAll(() => world.stop());

const wrong = async (body: unknown): Promise<unknown[]> => {
  const seen = world.peers.seen.length;
  const { status, reason, violations } = await world.problem(world.post('/v1/jobs', body));
  expect({ status, reason }).toEqual({ status: 400, reason: 'INVALID_FIELDS' });
  // Only the key's check reaches a service.
  expect(world.peers.seen.slice(seen).filter(({ path }) => path === SchedulerServiceService.submitJob.path)).toEqual(
    [],
  );
  return violations.map(({ field, reason: why }) => [field, why]);
};

test('every violated field is named at once', async () => {
  const body = {
    requestId: 7,
    nonsense: true,
    spec: {
      taskCount: '3x',
      command: 'sh',
      env: { A: 1 },
      requirements: { gpuCount: 1.5, nope: 1 },
      inputs: [{ path: 'a' }, { path: 5 }],
      network: 'NETWORK_MAYBE',
    },
  };
  expect(await wrong(body)).toEqual([
    ['request_id', 'WRONG_TYPE'],
    ['nonsense', 'UNKNOWN_FIELD'],
    ['spec.task_count', 'WRONG_TYPE'],
    ['spec.command', 'WRONG_TYPE'],
    ['spec.env["A"]', 'WRONG_TYPE'],
    ['spec.requirements.gpu_count', 'WRONG_TYPE'],
    ['spec.requirements.nope', 'UNKNOWN_FIELD'],
    ['spec.inputs[1].path', 'WRONG_TYPE'],
    ['spec.network', 'UNKNOWN_VALUE'],
  ]);
});

test.each([
  ['a number beyond int32', { spec: { taskCount: 2_147_483_648 } }, 'spec.task_count', 'OUT_OF_RANGE'],
  [
    'a number that JSON cannot hold',
    '{"spec":{"requirements":{"maxPriceMicrosPerGpuHour":9007199254740993}}}',
    'spec.requirements.max_price_micros_per_gpu_hour',
    'NOT_EXACT',
  ],
  ['an endless number', '{"spec":{"taskCount":1e999}}', 'spec.task_count', 'WRONG_TYPE'],
  [
    'a text beyond int64',
    { spec: { requirements: { maxPriceMicrosPerGpuHour: '9223372036854775808' } } },
    'spec.requirements.max_price_micros_per_gpu_hour',
    'OUT_OF_RANGE',
  ],
  [
    'a very long number',
    { spec: { requirements: { maxPriceMicrosPerGpuHour: '9'.repeat(100_000) } } },
    'spec.requirements.max_price_micros_per_gpu_hour',
    'WRONG_TYPE',
  ],
  ['half a character', '{"requestId":"\\ud800"}', 'request_id', 'MALFORMED'],
  ['both spellings', { requestId: 'a', request_id: 'b' }, 'request_id', 'DUPLICATE'],
  ['a prototype', '{"__proto__":{"requestId":"x"}}', '__proto__', 'UNKNOWN_FIELD'],
  ['a constructor', { constructor: { prototype: {} } }, 'constructor', 'UNKNOWN_FIELD'],
  ['an object that pretends to be text', { requestId: { toString: 'x' } }, 'request_id', 'WRONG_TYPE'],
  ['a number for a map’s text', { spec: { labels: { 'a"b': 1 } } }, 'spec.labels["a\\"b"]', 'WRONG_TYPE'],
  ['null in a list', { spec: { command: [null] } }, 'spec.command[0]', 'WRONG_TYPE'],
  ['a list for a message', { spec: [] }, 'spec', 'WRONG_TYPE'],
  ['deep nesting', `{"spec":${'{"image":'.repeat(20_000)}1${'}'.repeat(20_000)}}`, 'spec.image.image', 'UNKNOWN_FIELD'],
])('%s', async (_name, body, field, reason) => {
  expect(await wrong(body)).toContainEqual([field, reason]);
});

test('a map may have any key, and pollutes nothing', async () => {
  expect((await world.post('/v1/projects', '{"labels":{"__proto__":"a","constructor":"b"}}')).status).toBe(200);
  const { labels } = world.peers.seen.at(-1)!.request as { labels: Record<string, string> };
  expect(labels['constructor']).toBe('b');
  expect(({} as Record<string, unknown>)['a']).toBeUndefined();
});

test.each([
  ['no JSON', '{"a":', 400, 'BODY_NOT_JSON'],
  ['a list', '[]', 400, 'BODY_NOT_OBJECT'],
  ['null', 'null', 400, 'BODY_NOT_OBJECT'],
  ['no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 400, 'BODY_NOT_UTF8'],
  ['too much', `{"a":"${'x'.repeat(600_000)}"}`, 413, 'REQUEST_TOO_LARGE'],
])('a body that is %s', async (_name, body, status, reason) => {
  const response = world.fetch('/v1/jobs', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  expect(await world.problem(response)).toMatchObject({ status, reason });
});

test('a body without length that never ends', async () => {
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(65_536, 32);
  }
  const options = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: ReadableStream.from(endless()),
    duplex: 'half',
  };
  expect(await world.problem(world.fetch('/v1/jobs', options as unknown as RequestInit))).toMatchObject({
    status: 413,
  });
});

test('unknown routes, methods and media types', async () => {
  expect(await world.problem(world.fetch('/v1/nothing'))).toMatchObject({ status: 404, reason: 'ROUTE_NOT_FOUND' });
  expect(await world.problem(world.fetch('/v1/jobs/%ff'))).toMatchObject({ status: 404 });
  expect(await world.problem(world.fetch('/v1/jobs/a:nothing'))).toMatchObject({ status: 404 });
  const wrongVerb = await world.fetch('/v1/jobs', { method: 'DELETE' });
  expect(wrongVerb.headers.get('allow')).toBe('GET, POST');
  expect(await wrongVerb.json()).toMatchObject({ status: 405, reason: 'METHOD_NOT_ALLOWED' });
  expect(await world.problem(world.post('/v1/jobs', '{}', { 'content-type': 'text/xml' }))).toMatchObject({
    status: 415,
  });
  expect(await world.problem(world.post('/v1/jobs', '{}', { 'content-encoding': 'gzip' }))).toMatchObject({
    status: 415,
    reason: 'UNSUPPORTED_ENCODING',
  });
});

test('query parameters that are none', async () => {
  const { violations } = await world.problem(
    world.fetch('/v1/jobs?nope=1&pageSize=x&pageSize=2&state=NOT&projectId=a&project_id=b'),
  );
  expect(violations.map(({ field, reason }) => [field, reason])).toEqual(
    expect.arrayContaining([
      ['nope', 'UNKNOWN_FIELD'],
      ['pageSize', 'DUPLICATE'],
      ['state', 'UNKNOWN_VALUE'],
      ['project_id', 'DUPLICATE'],
    ]),
  );
  expect(await world.problem(world.post('/v1/jobs?requestId=1', {}))).toMatchObject({
    violations: [{ field: 'requestId', reason: 'UNKNOWN_FIELD' }],
  });
});

/** What a raw request gets. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(world.gateway.ports['http']!, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    setTimeout(() => socket.destroy(), 3_000).unref();
  });
}

test('two lengths in one request are refused, and the connection ends', async () => {
  const answer = await raw(
    `POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ALICE}\r\ncontent-type: application/json\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/jobs HTTP/1.1\r\nhost: x\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain('application/problem+json');
  expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
});

test('headers too large, and an identity that someone sends along', async () => {
  expect(await raw(`GET /v1/jobs HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
  const forged = {
    'x-daya-caller': 'ey.forged',
    'grpc-timeout': '1n',
    'x-forwarded-for': '1.2.3.4',
    traceparent: '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01',
  };
  expect((await world.post('/v1/projects', {}, forged)).status).toBe(200);
  const { context } = world.peers.seen.at(-1)!;
  expect(context.caller).toMatchObject({ kind: 'member', organisationId: 'org-alice' });
  expect(String(context.metadata.get('traceparent'))).not.toContain('aaaa');
  expect(context.metadata.get('x-forwarded-for')).toEqual([]);
  expect((await fetch(`${world.http}/v1/projects`, { headers: forged })).status).toBe(401);
});
