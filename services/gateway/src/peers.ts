import { createClient, loadTls, type GrpcClient, type Identity, type ServiceDefinition } from '@daya/nest';
import type { ApiMethod } from './api/catalogue';
import { PEERS, urlOf, type GatewayConfig, type Peer } from './config';

/** Calls one RPC with bytes; the reply's bytes come back as the peer sent them. Throws GrpcCallError. */
type ByteMethod<Input, Output> = {
  readonly path: string;
  readonly requestStream: Input extends 'stream' ? true : false;
  readonly responseStream: Output extends 'stream' ? true : false;
  requestSerialize(value: Buffer): Buffer;
  requestDeserialize(bytes: Buffer): Buffer;
  responseSerialize(value: Buffer): Buffer;
  responseDeserialize(bytes: Buffer): Buffer;
};

type CallOf<Input, Output> = GrpcClient<Record<'call', ByteMethod<Input, Output>>>['call'];
export type UnaryCall = CallOf<'one', 'one'>;
export type ServerStreamCall = CallOf<'one', 'stream'>;
export type ClientStreamCall = CallOf<'stream', 'one'>;
export type BidiCall = CallOf<'stream', 'stream'>;

const same = (bytes: Buffer): Buffer => bytes;

function definitionOf(path: string, requestStream: boolean, responseStream: boolean): ServiceDefinition[string] {
  const codecs = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  return { path, requestStream, responseStream, ...codecs } as ServiceDefinition[string];
}

/** One connection per service; every RPC that members may call, plus those that the gateway itself needs. Bytes in and out. */
export class Peers {
  private readonly clients: readonly GrpcClient<ServiceDefinition>[];
  private readonly calls = new Map<string, unknown>();

  constructor(
    config: GatewayConfig,
    identity: Identity,
    methods: readonly ApiMethod[],
    more: Partial<Record<Peer, string[]>>,
  ) {
    const tls = loadTls(config.TLS_FOLDER, 'gateway');
    this.clients = PEERS.map((peer) => {
      const own = methods.filter((method) => method.peer === peer);
      const definitions = [
        ...own.map(({ path, descriptor: { methodKind: kind } }) =>
          definitionOf(path, isClientStream(kind), kind === 'server_streaming' || kind === 'bidi_streaming'),
        ),
        ...(more[peer] ?? []).map((path) => definitionOf(path, false, false)),
      ];
      const definition = Object.fromEntries(definitions.map((one) => [one.path, one]));
      const client = createClient(definition, {
        url: urlOf(config, peer),
        audience: peer,
        identity,
        tls: { ca: tls.ca },
      });
      for (const { path } of definitions) this.calls.set(path, client[path]);
      return client;
    });
  }

  unary(path: string): UnaryCall {
    return this.find(path) as UnaryCall;
  }

  serverStream(path: string): ServerStreamCall {
    return this.find(path) as ServerStreamCall;
  }

  clientStream(path: string): ClientStreamCall {
    return this.find(path) as ClientStreamCall;
  }

  bidi(path: string): BidiCall {
    return this.find(path) as BidiCall;
  }

  onModuleDestroy(): void {
    for (const client of this.clients) client.onModuleDestroy();
  }

  private find(path: string): unknown {
    const call = this.calls.get(path);
    if (call === undefined) throw new Error(`the gateway calls no ${path}`);
    return call;
  }
}

const isClientStream = (kind: string): boolean => kind === 'client_streaming' || kind === 'bidi_streaming';
