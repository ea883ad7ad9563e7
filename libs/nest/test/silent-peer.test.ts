import { status as codes } from '@grpc/grpc-js';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createClient, type RunningService } from '../src/index';
import { EchoService, status } from './echo-service';
import { TestPlatform } from './platform';

const platform = new TestPlatform();
const sockets: Socket[] = [];
let running: RunningService;
let link: Server;

beforeAll(async () => {
  await platform.setUp();
  running = await platform.start();
  link = createServer((client) => {
    const upstream = connect(running.ports.grpc!, '127.0.0.1');
    sockets.push(
      client.on('error', () => undefined),
      upstream.on('error', () => undefined),
    );
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => link.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  sockets.forEach((socket) => socket.destroy());
  link.close();
  await running.stop();
  platform.remove();
});

test('a peer that falls silent without a goodbye is noticed within seconds, also by a call without a deadline', async () => {
  const client = createClient(EchoService, {
    url: `127.0.0.1:${(link.address() as AddressInfo).port}`,
    audience: 'echo',
    identity: platform.identity('scheduler'),
    tls: { ca: platform.tls().ca },
  });
  try {
    await client.echo(status('there'));
    // As after a power cut, or behind a route that is gone: nothing comes through, nothing is closed.
    sockets.forEach((socket) => socket.unpipe().pause());
    const upload = client.collect(
      (async function* () {
        yield status('x', 1);
      })(),
    );
    await expect(upload).rejects.toMatchObject({ code: codes.UNAVAILABLE });
  } finally {
    client.onModuleDestroy();
  }
}, 12_000);
