import { status as codes } from '@grpc/grpc-js';
import type { Status } from '@daya/proto/google';
import { createClient, type RunningService } from '../src/index';
import { EchoService, status } from './echo-service';
import { eventually, TestPlatform } from './platform';

const platform = new TestPlatform();
let running: RunningService;

beforeAll(async () => {
  await platform.setUp();
  running = await platform.start();
});
afterAll(async () => {
  await running.stop();
  platform.remove();
});
beforeEach(() => {
  platform.seen.produced = platform.seen.consumed = platform.seen.finished = 0;
});

async function all(messages: AsyncIterable<Status>): Promise<Status[]> {
  const found: Status[] = [];
  for await (const message of messages) found.push(message);
  return found;
}

async function* many(count: number, text = 'x'): AsyncIterable<Status> {
  for (let index = 1; index <= count; index += 1) yield status(text, index);
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('a server stream arrives whole and in order, without a deadline', async () => {
  const messages = await all(platform.client(running).watch(status('x', 1_000)));
  expect(messages.map((message) => message.code)).toEqual(Array.from({ length: 1_000 }, (_, index) => index));
  expect(platform.seen.contexts.at(-1)?.deadline).toBeUndefined();
});

test('a stream that fails ends with the reason, after what was sent before', async () => {
  const found: Status[] = [];
  const reading = (async () => {
    for await (const message of platform.client(running).watch(status('fail', 3))) found.push(message);
  })();
  await expect(reading).rejects.toMatchObject({ code: codes.ABORTED, reason: 'STALE' });
  expect(found).toHaveLength(3);
});

test('a slow reader slows the handler: nothing piles up in the server', async () => {
  const payload = 'x'.repeat(64 * 1024);
  const total = 2_000;
  const iterator = platform.client(running).watch(status(payload, total))[Symbol.asyncIterator]();
  await iterator.next();
  await sleep(500);
  const producedWhileIdle = platform.seen.produced;
  expect(producedWhileIdle).toBeLessThan(total / 4);
  await sleep(200);
  expect(platform.seen.produced).toBeLessThan(total / 4);
  let received = 1;
  for (;;) {
    const { done } = await iterator.next();
    if (done === true) break;
    received += 1;
  }
  expect(received).toBe(total);
}, 20_000);

test('a handler that does not read stops a fast sender', async () => {
  let sent = 0;
  async function* flood(): AsyncIterable<Status> {
    for (; sent < 5_000; sent += 1) yield status(sent === 0 ? 'pause' : 'x'.repeat(16 * 1024), 1);
  }
  const received = all(platform.client(running).chat(flood()));
  await sleep(250);
  expect(sent).toBeLessThan(1_000);
  expect((await received).length).toBe(5_001);
}, 20_000);

test('leaving the loop cancels the call and ends the handler', async () => {
  for await (const message of platform.client(running).watch(status('wait', 2))) {
    if (message.code === 1) break;
  }
  await eventually(() => platform.seen.finished === 1);
});

test('a client stream is summed; its refusal and its early answer both arrive', async () => {
  const client = platform.client(running);
  expect(await client.collect(many(500))).toEqual(status('sum', 125_250));
  await expect(client.collect(many(5, 'stop'))).rejects.toMatchObject({
    code: codes.RESOURCE_EXHAUSTED,
    reason: 'ENOUGH',
  });
  expect((await client.collect(many(5_000, 'early'))).message).toBe('early');
});

test('an error of the sender cancels the upload', async () => {
  async function* broken(): AsyncIterable<Status> {
    yield status('x', 1);
    await sleep(100);
    throw new Error('disk is gone');
  }
  await expect(platform.client(running).collect(broken())).rejects.toThrow('disk is gone');
  await expect(all(platform.client(running).chat(broken()))).rejects.toThrow('disk is gone');
  await eventually(() => platform.seen.finished === 1);
});

test('a bidirectional stream answers as it goes and says goodbye when the client has finished', async () => {
  const messages = await all(platform.client(running).chat(many(50)));
  expect(messages).toHaveLength(51);
  expect(messages.at(-1)?.message).toBe('bye');
});

test('a bad message in a stream is refused by its reason', async () => {
  async function* oversize(): AsyncIterable<Status> {
    yield status('fine', 1);
    yield status('a'.repeat(300 * 1024));
  }
  const client = platform.client(running);
  await expect(all(client.chat(oversize()))).rejects.toMatchObject({
    code: codes.RESOURCE_EXHAUSTED,
    reason: 'REQUEST_TOO_LARGE',
  });
  await expect(client.collect(oversize())).rejects.toMatchObject({ reason: 'REQUEST_TOO_LARGE' });
});

test('streams are for those whom the rule names', async () => {
  const client = platform.client(running, 'rewards');
  await expect(all(client.watch(status('x', 1)))).rejects.toMatchObject({ code: codes.PERMISSION_DENIED });
  await expect(all(client.chat(many(1)))).rejects.toMatchObject({ code: codes.PERMISSION_DENIED });
  await expect(client.collect(many(1))).rejects.toMatchObject({ code: codes.PERMISSION_DENIED });
});

test('the server ends streams at their maximum age, also deaf and busy ones, to be resumed', async () => {
  const shortLived = await platform.start({}, { STREAM_MAX_AGE_MS: '500' });
  const client = platform.client(shortLived);
  const ended = { code: codes.UNAVAILABLE, reason: 'STREAM_MAX_AGE' };
  async function* endless(): AsyncIterable<Status> {
    for (;;) yield status('x'.repeat(16 * 1024));
  }
  await Promise.all([
    expect(all(client.watch(status('wait', 1)))).rejects.toMatchObject(ended),
    expect(all(client.watch(status('deaf', 1)))).rejects.toMatchObject(ended),
    expect(all(client.chat(endless()))).rejects.toMatchObject(ended),
    expect(client.collect(endless())).rejects.toMatchObject(ended),
  ]);
  await shortLived.stop();
}, 20_000);

test('a deadline on a stream holds', async () => {
  const stream = platform.client(running).watch(status('wait', 1), { deadlineMs: 200 });
  await expect(all(stream)).rejects.toMatchObject({ code: codes.DEADLINE_EXCEEDED });
});

test('a peer that is down is UNAVAILABLE for streams too', async () => {
  const client = createClient(EchoService, {
    url: '127.0.0.1:1',
    audience: 'echo',
    identity: platform.identity('scheduler'),
    tls: { ca: platform.tls().ca },
  });
  await expect(all(client.watch(status('x', 1)))).rejects.toMatchObject({ code: codes.UNAVAILABLE });
});
