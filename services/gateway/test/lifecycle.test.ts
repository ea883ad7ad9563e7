import { ConfigError, loadConfig } from '@daya/nest';
import { GetJobResponse, SchedulerServiceService, WatchJobResponse } from '@daya/proto/scheduler';
import { configSchema } from '../src/config';
import { eventsOf, World } from './support/world';

test('missing configuration stops it with the whole list', () => {
  const load = (): unknown => loadConfig(configSchema, { HTTP_PORT: 'x' });
  expect(load).toThrow(ConfigError);
  for (const name of [
    'HTTP_PORT',
    'PARTNER_PORT',
    'GRPC_PORT',
    'REGISTRY_URL',
    'REWARDS_URL',
    'TLS_FOLDER',
    'JWKS_FILE',
  ])
    expect(load).toThrow(name);
});

test('stopping ends streams with a word, lets calls finish, and is quick', async () => {
  const world = await World.start({ DRAIN_MS: '5000' });
  const admin = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${world.gateway.ports['admin']}${path}`);
  expect((await admin('/readyz')).status).toBe(200);
  expect(await (await admin('/metrics')).text()).toContain('daya_rpc_client_duration_seconds');
  world.peers.handle(SchedulerServiceService.watchJob, async function* (_request, { signal }) {
    yield WatchJobResponse.fromPartial({ job: { version: 1n } });
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  });
  let running: () => void = () => undefined;
  const started = new Promise<void>((resolve) => (running = resolve));
  world.peers.handle(SchedulerServiceService.getJob, async ({ jobId }) => {
    running();
    await new Promise((resolve) => setTimeout(resolve, 700));
    return GetJobResponse.fromPartial({ job: { jobId } });
  });
  const stream = await world.fetch('/v1/jobs/j:watch', { headers: { accept: 'text/event-stream' } });
  const last = (async () => {
    let event;
    for await (const one of eventsOf(stream)) event = one;
    return event;
  })();
  const call = world.fetch('/v1/jobs/slow');
  await started;
  const startMs = Date.now();
  const stopped = world.gateway.stop();
  expect(JSON.parse((await last)!.data!)).toMatchObject({ status: 503, reason: 'SERVER_DRAINING' });
  expect(await (await call).json()).toMatchObject({ job: { jobId: 'slow' } });
  await stopped;
  expect(Date.now() - startMs).toBeLessThan(5_000);
  await expect(fetch(world.http)).rejects.toThrow('fetch failed');
  await world.stop();
});
