import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createClient,
  createLogger,
  startTracing,
  traceparent,
  withSpan,
  withTraceparent,
  type RunningService,
} from '../src/index';
import { startChild } from './child-process';
import { EchoService, status } from './echo-service';
import { TestPlatform } from './platform';

interface Received {
  resourceSpans: { scopeSpans: { spans: { traceId: string; parentSpanId: string; kind: number; name: string }[] }[] }[];
}

const platform = new TestPlatform();
let collector: Server;
let received = '';
let endpoint = '';
let running: RunningService;

beforeAll(async () => {
  collector = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => (received += chunk.toString()));
    request.on('end', () => response.end('{}'));
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  startTracing('test', 'http://127.0.0.1:1');
  await platform.setUp();
  running = await platform.start();
});
afterAll(async () => {
  await running.stop();
  collector.close();
  platform.remove();
});

test('one trace goes through client, server and handler', async () => {
  const traceId = await withSpan('order', async (span) => {
    await platform.client(running).echo(status('x'));
    return span.spanContext().traceId;
  });
  expect(platform.seen.traceparents.at(-1)).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
});

test('a service sends its spans to the collector, in the trace of its caller', async () => {
  const child = startChild({ ...platform.env('echo'), OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
  const url = `127.0.0.1:${(await child.ports)['grpc']}`;
  const client = createClient(EchoService, {
    url,
    audience: 'echo',
    identity: platform.identity('scheduler'),
    tls: { ca: platform.tls().ca },
  });
  const traceId = await withSpan('order', async (span) => {
    await client.echo(status('x'));
    return span.spanContext().traceId;
  });
  child.process.kill('SIGTERM');
  expect(await child.exit).toBe(0);
  const { resourceSpans } = JSON.parse(received) as Received;
  const spans = resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans));
  expect(spans).toMatchObject([{ traceId, kind: 2, name: '/daya.echo.v1.EchoService/Echo' }]);
  expect(spans[0]?.parentSpanId).toMatch(/^[0-9a-f]{16}$/);
}, 20_000);

test('a message continues the trace that it carries; a bad header starts a new one', async () => {
  const header = '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01';
  expect(await withTraceparent(header, 'consume', async () => traceparent())).toContain(
    '0123456789abcdef0123456789abcdef',
  );
  for (const bad of [undefined, '', 'garbage', `00-${'0'.repeat(32)}-0123456789abcdef-01`]) {
    expect(await withTraceparent(bad, 'consume', async () => traceparent())).toMatch(/^00-(?!0{32})/);
  }
  expect(traceparent()).toBeUndefined();
});

test('a refusal is logged with the trace of its call', async () => {
  platform.logLines.length = 0;
  const traceId = await withSpan('order', async (span) => {
    await platform
      .client(running)
      .echo(status('refuse'))
      .catch(() => undefined);
    return span.spanContext().traceId;
  });
  const line = platform.logLines
    .map((text) => JSON.parse(text) as Record<string, unknown>)
    .find((one) => one['reason'] === 'INSUFFICIENT_FUNDS');
  expect(line).toMatchObject({
    level: 'info',
    service: 'echo',
    rpc: '/daya.echo.v1.EchoService/Echo',
    code: 'FAILED_PRECONDITION',
    trace_id: traceId,
  });
});

test('secrets do not reach the log, bigints do', () => {
  const lines: string[] = [];
  const log = createLogger({ LOG_LEVEL: 'info' }, { write: (line) => void lines.push(line) });
  log.info(
    {
      authorization: 'Bearer abc',
      headers: { authorization: 'Bearer abc', 'x-daya-caller': 'abc' },
      secrets: ['abc'],
      spec: { env: { A: 'abc' } },
      amount: 5n,
    },
    'call',
  );
  expect(lines[0]).not.toContain('abc');
  expect(lines[0]).toContain('"amount":5');
});
