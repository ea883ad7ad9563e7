import { Client, status as codes } from '@grpc/grpc-js';
import { health, reflectionV1, reflectionV1alpha, FileDescriptorProto } from '@daya/proto/grpc';
import { OfferServiceService } from '@daya/proto/registry';
import { channelCredentials, createClient, LIVENESS_NAME, type RunningService, type Startable } from '../src/index';
import { startChild, type Child } from './child-process';
import { AgentController, EchoController, EnrolmentController, Seen } from './echo-controller';
import { EchoService, status } from './echo-service';
import { eventually, TestPlatform } from './platform';

const platform = new TestPlatform();
beforeAll(() => platform.setUp());
afterAll(() => platform.remove());

const bare = <D extends Parameters<typeof createClient>[0]>(definition: D, running: RunningService) =>
  createClient(definition, {
    url: `127.0.0.1:${running.ports.grpc}`,
    audience: 'echo',
    tls: { ca: platform.tls().ca },
  });

const get = async (running: RunningService, path: string): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${running.ports.admin}${path}`);
  return [response.status, await response.text()];
};

test('health answers without identity and deadline, and flips when the readiness check fails', async () => {
  let broken = false;
  const running = await platform.start({
    ready: () => (broken ? Promise.reject(new Error('no database')) : Promise.resolve()),
  });
  const raw = new Client(`127.0.0.1:${running.ports.grpc}`, channelCredentials({ ca: platform.tls().ca }), {
    'grpc.ssl_target_name_override': 'echo',
  });
  const { path, requestSerialize, responseDeserialize } = health.HealthService.check;
  const answer = await new Promise((resolve, reject) => {
    raw.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service: '' }, (error, value) =>
      error ? reject(error) : resolve(value),
    );
  });
  expect(answer).toEqual({ status: 'SERVING' });
  raw.close();
  const client = bare(health.HealthService, running);
  expect(await client.check({ service: 'daya.echo.v1.EchoService' })).toEqual({ status: 'SERVING' });
  await expect(client.check({ service: 'nobody' })).rejects.toMatchObject({ code: codes.NOT_FOUND });
  const watched: string[] = [];
  void (async () => {
    for await (const { status: state } of client.watch({ service: '' })) watched.push(state);
  })().catch(() => undefined);
  expect(await get(running, '/readyz')).toEqual([200, 'ok\n']);
  broken = true;
  await eventually(() => watched.join() === 'SERVING,NOT_SERVING');
  expect(await get(running, '/readyz')).toEqual([503, 'the readiness check fails\n']);
  expect(await client.check({ service: LIVENESS_NAME })).toEqual({ status: 'SERVING' });
  expect((await get(running, '/livez'))[0]).toBe(200);
  client.onModuleDestroy();
  await running.stop();
}, 20_000);

test('reflection lists the services and serves whole files with their imports, v1 and v1alpha', async () => {
  const running = await platform.start();
  async function* ask(): AsyncIterable<reflectionV1.ServerReflectionRequest> {
    yield { host: '', messageRequest: { $case: 'listServices', value: '' } };
    yield { host: '', messageRequest: { $case: 'fileContainingSymbol', value: 'daya.registry.v1.OfferService' } };
    yield { host: '', messageRequest: { $case: 'allExtensionNumbersOfType', value: 'google.protobuf.MethodOptions' } };
    yield { host: '', messageRequest: { $case: 'fileByFilename', value: 'no/such.proto' } };
  }
  for (const definition of [reflectionV1.ServerReflectionService, reflectionV1alpha.ServerReflectionService]) {
    const client = bare(definition as typeof reflectionV1.ServerReflectionService, running);
    const answers = [];
    for await (const { messageResponse } of client.serverReflectionInfo(ask())) answers.push(messageResponse);
    const [list, files, extensions, missing] = answers;
    expect(list).toMatchObject({
      value: { service: [{ name: 'daya.echo.v1.EchoService' }, { name: 'grpc.health.v1.Health' }] },
    });
    const found =
      files?.$case === 'fileDescriptorResponse'
        ? files.value.fileDescriptorProto.map((bytes) => FileDescriptorProto.decode(bytes))
        : [];
    expect(found[0]?.service.map((service) => service.name)).toContain('OfferService');
    const names = found.map((file) => file.name);
    for (const file of found) for (const dependency of file.dependency) expect(names).toContain(dependency);
    expect(extensions).toMatchObject({ value: { extensionNumber: expect.arrayContaining([50_500]) } });
    expect(missing).toMatchObject({ $case: 'errorResponse', value: { errorCode: codes.NOT_FOUND } });
    client.onModuleDestroy();
  }
  await running.stop();
});

test('metrics count calls by method and code', async () => {
  const running = await platform.start();
  const client = platform.client(running);
  await client.echo(status('x'));
  await client.echo(status('refuse')).catch(() => undefined);
  const [, text] = await get(running, '/metrics');
  expect(text).toMatch(
    /daya_rpc_server_duration_seconds_count\{method="\/daya.echo.v1.EchoService\/Echo",code="OK"\} [1-9]/,
  );
  expect(text).toMatch(
    /daya_rpc_server_duration_seconds_count\{method="\/daya.echo.v1.EchoService\/Echo",code="FAILED_PRECONDITION"\} [1-9]/,
  );
  expect(text).toMatch(/daya_rpc_client_duration_seconds_count/);
  expect((await get(running, '/nothing'))[0]).toBe(404);
  await running.stop();
});

test('a method without a rule, or without a controller, stops the service at start', async () => {
  await expect(platform.start({ authz: {} })).rejects.toThrow('has no authz rule');
  await expect(
    platform.start({ grpc: [EchoService, OfferServiceService] as never, authz: undefined as never }),
  ).rejects.toThrow(/no (authz rule|controller)/);
});

test('background work starts in order after the ports and stops in reverse; calls in flight end well', async () => {
  const order: string[] = [];
  const worker = (name: string): new () => Startable =>
    class implements Startable {
      async start(): Promise<void> {
        order.push(`start ${name}`);
      }
      async stop(): Promise<void> {
        order.push(`stop ${name}`);
      }
    };
  const [One, Two] = [worker('one'), worker('two')];
  class WorkModule {}
  const running = await platform.start({ startables: [One, Two], module: workModule(WorkModule, [One, Two]) });
  const client = platform.client(running);
  platform.seen.finished = 0;
  const slow = client.echo(status('slow'));
  const waiting = (async () => {
    for await (const { message } of client.watch(status('wait', 1))) order.push(message);
  })();
  await eventually(() => order.includes('wait'));
  await running.stop();
  expect((await slow).message).toBe('slow');
  await expect(waiting).rejects.toMatchObject({ code: codes.UNAVAILABLE, reason: 'SERVER_DRAINING' });
  expect(order).toEqual(['start one', 'start two', 'wait', 'stop two', 'stop one']);
  await expect(client.echo(status('x'), { deadlineMs: 500 })).rejects.toMatchObject({ code: codes.UNAVAILABLE });
});

test('a call that does not end is cut after the drain time', async () => {
  const running = await platform.start({}, { DRAIN_MS: '300' });
  const call = platform
    .client(running)
    .echo(status('hang'), { deadlineMs: 20_000 })
    .catch((error: unknown) => error);
  await eventually(() => platform.seen.contexts.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const startMs = Date.now();
  await running.stop();
  expect(Date.now() - startMs).toBeLessThan(2_000);
  expect(await call).toMatchObject({ code: expect.any(Number) });
});

test('a client finds a restarted peer again by itself, within seconds', async () => {
  const first = await platform.start();
  const client = platform.client(first);
  await client.echo(status('before'));
  await first.stop();
  await expect(client.echo(status('x'))).rejects.toMatchObject({ code: codes.UNAVAILABLE });
  const second = await platform.start({}, { GRPC_PORT: String(first.ports['grpc']) });
  let answered = false;
  const startMs = Date.now();
  while (!answered && Date.now() - startMs < 5_000) {
    answered = await client.echo(status('after')).then(
      () => true,
      () => false,
    );
  }
  expect(answered).toBe(true);
  await second.stop();
}, 20_000);

describe('a process of its own', () => {
  let child: Child;
  afterEach(() => child.process.kill('SIGKILL'));

  test('SIGTERM lets a call in flight end and then exits with 0', async () => {
    child = startChild(platform.env('echo'));
    const url = `127.0.0.1:${(await child.ports)['grpc']}`;
    const client = createClient(EchoService, {
      url,
      audience: 'echo',
      identity: platform.identity('scheduler'),
      tls: { ca: platform.tls().ca },
    });
    await client.echo(status('warm'));
    const slow = client.echo(status('slow'));
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.process.kill('SIGTERM');
    expect((await slow).message).toBe('slow');
    expect(await child.exit).toBe(0);
  }, 20_000);

  test('missing configuration stops it with the whole list', async () => {
    let stderr = '';
    child = startChild({});
    child.process.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    expect(await child.exit).toBe(1);
    await eventually(() => stderr.includes('JWKS_FILE is missing'));
    for (const name of ['GRPC_PORT', 'ADMIN_PORT', 'TLS_FOLDER', 'IDENTITY_KEY_FILE'])
      expect(stderr).toContain(`${name} is missing`);
  }, 20_000);
});

function workModule(module: new () => unknown, providers: (new () => Startable)[]) {
  const controllers = [EchoController, AgentController, EnrolmentController];
  return { module, controllers, providers: [...providers, { provide: Seen, useValue: platform.seen }] };
}
