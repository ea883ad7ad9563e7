import { Client, Metadata, status as codes, type ServiceError } from '@grpc/grpc-js';
import {
  channelCredentials,
  GrpcCallError,
  STATUS_DETAILS_KEY,
  toDomainError,
  type RunningService,
} from '../src/index';
import { EchoService, status } from './echo-service';
import { eventually, TestPlatform } from './platform';

const platform = new TestPlatform();
let running: RunningService;
let raw: Client;

beforeAll(async () => {
  await platform.setUp();
  running = await platform.start();
  raw = new Client(`127.0.0.1:${running.ports.grpc}`, channelCredentials({ ca: platform.tls().ca }), {
    'grpc.ssl_target_name_override': 'echo',
  });
});

afterAll(async () => {
  raw.close();
  await running.stop();
  platform.remove();
});

/** A call by hand: any bytes, any metadata, with or without a deadline. */
function send(
  path: string,
  bytes: Buffer,
  options: { deadline?: number } = { deadline: Date.now() + 5_000 },
): Promise<Buffer | GrpcCallError> {
  return new Promise((resolve) => {
    void Promise.resolve(platform.identity('scheduler').serviceToken('echo')).then((token) => {
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${token}`);
      const same = (value: Buffer): Buffer => value;
      raw.makeUnaryRequest(path, same, same, bytes, metadata, options, (error: ServiceError | null, answer?: Buffer) =>
        resolve(
          error === null
            ? (answer ?? Buffer.alloc(0))
            : new GrpcCallError(error.code, error.details, error.metadata, path),
        ),
      );
    });
  });
}

const ECHO = EchoService.echo.path;
const valid = EchoService.echo.requestSerialize(status('größer', 7));

test('a good call comes back, with caller and deadline known to the handler', async () => {
  const answer = await platform.client(running).echo(status('größer', 7));
  expect(answer).toEqual(status('größer', 7));
  const context = platform.seen.contexts.at(-1);
  expect(context?.caller).toEqual({ kind: 'system', service: 'scheduler' });
  expect(context?.deadline?.getTime()).toBeGreaterThan(Date.now());
  expect(context?.node).toBeUndefined();
});

test('a call without a deadline is refused', async () => {
  expect(await send(ECHO, valid, {})).toMatchObject({ code: codes.INVALID_ARGUMENT, reason: 'DEADLINE_REQUIRED' });
});

test.each([
  ['truncated', valid.subarray(0, valid.length - 1)],
  ['bad UTF-8', Buffer.from([0x12, 0x02, 0xc3, 0x28])],
  ['an illegal tag', Buffer.from([0x07])],
  ['a field number of zero', Buffer.from([0x00, 0x01])],
  ['an endless varint', Buffer.alloc(40, 0xff)],
  ['groups nested 5,000 deep', Buffer.alloc(5_000, 0x7b)],
  ['noise', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
])('%s is INVALID_ARGUMENT, never INTERNAL', async (_name, bytes) => {
  expect(await send(ECHO, bytes)).toMatchObject({ code: codes.INVALID_ARGUMENT, reason: 'REQUEST_NOT_DECODABLE' });
});

test('every truncation of a valid request is decoded or refused', async () => {
  for (let end = 0; end < valid.length; end += 1) {
    const answer = await send(ECHO, valid.subarray(0, end));
    if (answer instanceof GrpcCallError) expect(answer.reason).toBe('REQUEST_NOT_DECODABLE');
  }
});

test('a request above the cap of its method is refused; a method may have its own', async () => {
  const large = EchoService.echo.requestSerialize(status('a'.repeat(300 * 1024)));
  expect(await send(ECHO, large)).toMatchObject({
    code: codes.RESOURCE_EXHAUSTED,
    reason: 'REQUEST_TOO_LARGE',
    metadata: { limit_bytes: '262144' },
  });
  const huge = EchoService.echo.requestSerialize(status('a'.repeat(3 * 1024 * 1024)));
  expect(await send(ECHO, huge)).toMatchObject({ code: codes.RESOURCE_EXHAUSTED });
  expect(await send(EchoService.change.path, large)).toMatchObject({ code: codes.PERMISSION_DENIED });
});

test('a refusal keeps its reason, metadata and violations on the way to the caller', async () => {
  const error = await platform
    .client(running)
    .echo(status('refuse'))
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({
    code: codes.FAILED_PRECONDITION,
    reason: 'INSUFFICIENT_FUNDS',
    metadata: { needed: '5' },
    violations: [{ field: 'spec.image', description: 'is empty', reason: 'REQUIRED' }],
  });
  expect((error as GrpcCallError).trailers.get(STATUS_DETAILS_KEY)).toHaveLength(1);
  expect(toDomainError(error)).toMatchObject({
    kind: 'precondition',
    reason: 'INSUFFICIENT_FUNDS',
    metadata: { needed: '5' },
  });
});

test.each(['bug', 'partial'])('a bug (%s) is INTERNAL and tells nothing; the log has the cause', async (message) => {
  platform.logLines.length = 0;
  const error = await platform
    .client(running)
    .echo(status(message))
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: codes.INTERNAL, message: 'internal error', violations: [] });
  expect(platform.logLines.join('')).toMatch(/"level":"error".*"stack"/);
});

test('a deadline that passes aborts the signal of the handler', async () => {
  const before = platform.seen.aborted;
  const error = await platform
    .client(running)
    .echo(status('hang'), { deadlineMs: 100 })
    .catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: codes.DEADLINE_EXCEEDED });
  await eventually(() => platform.seen.aborted === before + 1);
});

test('a client that leaves aborts the signal of the handler', async () => {
  const before = platform.seen.aborted;
  const calls = platform.seen.contexts.length;
  const controller = new AbortController();
  const call = platform.client(running).echo(status('hang'), { signal: controller.signal });
  // Left any earlier, the call might never have reached the handler.
  void eventually(() => platform.seen.contexts.length > calls).finally(() => controller.abort());
  await expect(call).rejects.toMatchObject({ code: codes.CANCELLED });
  await eventually(() => platform.seen.aborted === before + 1);
});

test('the signal of a call that ended well never aborts', async () => {
  await platform.client(running).echo(status('fine'));
  const early = platform.seen.contexts.at(-1)?.signal;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(early?.aborted).toBe(false);
});

test('unknown methods are UNIMPLEMENTED', async () => {
  expect(await send('/daya.echo.v1.EchoService/Nothing', valid)).toMatchObject({ code: codes.UNIMPLEMENTED });
});
