import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** `host:port` of the proxy. */
  readonly address: string;
  /** Cuts all connections and refuses new ones, as a dead server does. */
  cut(): void;
  /** Bytes stop flowing both ways while connections stay open, as with a stopped server or a lost route. */
  stall(): void;
  heal(): void;
  close(): Promise<void>;
}

/** Stands between a client and a server of the stack, so that a test can break the link and not the server. */
export async function tcpProxy(target: { host: string; port: number }, listenPort = 0): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let state: 'open' | 'cut' | 'stalled' = 'open';
  const server = createServer((client) => {
    if (state === 'cut') return void client.destroy();
    const upstream = connect(target.port, target.host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from
        .on('error', () => to.destroy())
        .on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
      from.pipe(to);
      if (state === 'stalled') from.pause();
    }
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(listenPort, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const drop = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    port,
    address: `127.0.0.1:${port}`,
    cut: () => {
      state = 'cut';
      drop();
    },
    stall: () => {
      state = 'stalled';
      sockets.forEach((socket) => socket.pause());
    },
    heal: () => {
      // Stalled connections die rather than deliver what is old.
      if (state === 'stalled') drop();
      state = 'open';
    },
    close: () => {
      drop();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
