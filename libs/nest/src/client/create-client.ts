import { Client, type ChannelOptions } from '@grpc/grpc-js';
import type { MethodDefinition, RequestOf, ResponseOf, ServiceDefinition } from '../grpc/definition';
import type { Identity } from '../identity/identity';
import { channelCredentials } from '../identity/tls';
import { clientObserver, type ObserveCall } from '../telemetry/metrics';
import type { CallOptions } from './call-options';
import { RetryBudget } from './retry';
import { bidiCall, clientStreamCall, serverStreamCall } from './stream-calls';
import { unaryCall } from './unary-call';

export interface ClientOptions {
  /** `host:port`, or `dns:///name:port` to spread calls over all its addresses. */
  readonly url: string;
  /** The peer's service name: in its certificate and in our token. */
  readonly audience: string;
  /** Undefined for agents, who come with a certificate, and for the enrolment listener. */
  readonly identity?: Identity | undefined;
  readonly tls: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly channelOptions?: ChannelOptions;
}

type Call<M extends MethodDefinition> = (
  request: M['requestStream'] extends true ? AsyncIterable<RequestOf<M>> : RequestOf<M>,
  options?: CallOptions,
) => M['responseStream'] extends true ? AsyncIterable<ResponseOf<M>> : Promise<ResponseOf<M>>;

/** One function per RPC; `onModuleDestroy` closes the connection, which Nest calls by itself. */
export type GrpcClient<D extends ServiceDefinition> = { readonly [K in keyof D]: Call<D[K]> } & {
  onModuleDestroy(): void;
};

/** What every kind of call needs. */
export interface ClientParts {
  readonly channel: Client;
  readonly audience: string;
  readonly identity: Identity | undefined;
  readonly budget: RetryBudget;
}

export interface ClientMethod {
  readonly definition: MethodDefinition;
  readonly observe: ObserveCall;
}

const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // Calls without a deadline, uploads and streams, learn only from these that their peer is gone without a goodbye; pings
  // are sent while a call is open.
  'grpc.keepalive_time_ms': 4_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': 16 * 1024 * 1024,
};

/**
 * A client whose calls always have a deadline, prove who calls, travel in the active trace and retry UNAVAILABLE within a
 * budget. Failed calls throw GrpcCallError. The connection opens with the first call.
 */
export function createClient<D extends ServiceDefinition>(definition: D, options: ClientOptions): GrpcClient<D> {
  const channel = new Client(options.url, channelCredentials(options.tls), {
    ...CHANNEL_OPTIONS,
    'grpc.ssl_target_name_override': options.audience,
    ...options.channelOptions,
  });
  const parts: ClientParts = {
    channel,
    audience: options.audience,
    identity: options.identity,
    budget: new RetryBudget(),
  };
  const calls = Object.entries(definition).map(([name, method]) => [name, callOf(parts, method)]);
  const client = Object.fromEntries(calls) as Record<string, unknown>;
  Object.defineProperty(client, 'onModuleDestroy', { value: () => channel.close() });
  return client as GrpcClient<D>;
}

function callOf(parts: ClientParts, definition: MethodDefinition): unknown {
  const method = { definition, observe: clientObserver(definition.path) };
  const { requestStream, responseStream } = definition;
  if (requestStream && responseStream) return bidiCall(parts, method);
  if (requestStream) return clientStreamCall(parts, method);
  return responseStream ? serverStreamCall(parts, method) : unaryCall(parts, method);
}
