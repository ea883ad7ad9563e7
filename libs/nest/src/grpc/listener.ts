import { Server, type handleUnaryCall } from '@grpc/grpc-js';
import { descriptorImage, type AuthzRule } from '@daya/proto';
import type { Identity } from '../identity/identity';
import { serverCredentials, type TlsFiles } from '../identity/tls';
import type { Logger } from '../telemetry/logger';
import { serverObserver } from '../telemetry/metrics';
import type { BoundMethod } from './bound-method';
import { serviceNameOf, type MethodDefinition, type ServiceDefinition } from './definition';
import { Gate, type Audience } from './gate';
import { Health } from './health';
import { Reflection } from './reflection';
import { bidiHandler, clientStreamHandler, OpenStreams, serverStreamHandler } from './streams';
import { unaryHandler } from './unary';

/** A request may be this large unless `maxRequestBytes` says otherwise for its method. */
export const DEFAULT_MAX_REQUEST_BYTES = 256 * 1024;
/** Above the caps, so that it is our refusal with a reason that callers see. */
const TRANSPORT_CAP_FACTOR = 2;

/** One port with its own services, TLS and idea of who may come. */
export interface ListenerOptions {
  /** `grpc` is the main one. */
  readonly name: string;
  readonly port: number;
  readonly audience: Audience;
  readonly services: readonly ServiceDefinition[];
  readonly tls: TlsFiles;
}

export interface ListenerParts {
  readonly identity: Identity;
  readonly log: Logger;
  readonly bindAddress: string;
  readonly authz: Readonly<Record<string, AuthzRule>>;
  /** Full method path → bytes. */
  readonly maxRequestBytes: Readonly<Record<string, number>>;
  readonly streamMaxAgeMs: number;
  /** The controller's method; throws when there is none. */
  handlerOf(path: string): BoundMethod['invoke'];
}

/** A grpc-js server whose methods all go through the wrapper. */
export class Listener {
  readonly name: string;
  readonly health: Health;
  private readonly server: Server;
  private readonly streams: OpenStreams;
  private boundPort = 0;

  /** Throws when a method has no handler or no authz rule. */
  constructor(
    private readonly options: ListenerOptions,
    private readonly parts: ListenerParts,
  ) {
    const names = options.services.map(serviceNameOf);
    this.name = options.name;
    this.health = new Health(names);
    this.streams = new OpenStreams(parts.streamMaxAgeMs);
    const largestBytes = Math.max(DEFAULT_MAX_REQUEST_BYTES, ...Object.values(parts.maxRequestBytes));
    this.server = new Server({
      'grpc.max_receive_message_length': largestBytes * TRANSPORT_CAP_FACTOR,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
    const gate = new Gate(parts.identity, options.audience);
    for (const method of options.services.flatMap((service) => Object.values(service))) this.register(method, gate);
    if (options.audience !== 'services') return;
    this.health.addTo(this.server);
    new Reflection(descriptorImage, [...names, 'grpc.health.v1.Health']).addTo(this.server);
  }

  /** The port, also when the system chose it. */
  get port(): number {
    return this.boundPort;
  }

  async listen(): Promise<void> {
    const credentials = serverCredentials(this.options.tls, this.options.audience === 'agents');
    this.boundPort = await new Promise<number>((resolve, reject) => {
      const address = `${this.parts.bindAddress}:${this.options.port}`;
      this.server.bindAsync(address, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
  }

  /** Ends streams at once and gives unary calls `drainMs`; then everything is cut. */
  async drain(drainMs: number): Promise<void> {
    this.streams.endAll();
    this.health.endWatches();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.server.forceShutdown();
        resolve();
      }, drainMs);
      this.server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  close(): void {
    this.server.forceShutdown();
  }

  private register(definition: MethodDefinition, gate: Gate): void {
    const rule = this.parts.authz[definition.path];
    if (rule === undefined) throw new Error(`${definition.path} has no authz rule`);
    const method: BoundMethod = {
      definition,
      rule,
      gate,
      maxRequestBytes: this.parts.maxRequestBytes[definition.path] ?? DEFAULT_MAX_REQUEST_BYTES,
      log: this.parts.log,
      observe: serverObserver(definition.path),
      invoke: this.parts.handlerOf(definition.path),
    };
    const [handler, type] = this.wrap(method);
    const bytes = (message: Buffer): Buffer => message;
    if (!this.server.register(definition.path, handler as handleUnaryCall<Buffer, Buffer>, bytes, bytes, type)) {
      throw new Error(`${definition.path} is served twice on one listener`);
    }
  }

  private wrap(method: BoundMethod): [unknown, string] {
    const { requestStream, responseStream } = method.definition;
    if (requestStream && responseStream) return [bidiHandler(method, this.streams), 'bidi'];
    if (requestStream) return [clientStreamHandler(method, this.streams), 'clientStream'];
    if (responseStream) return [serverStreamHandler(method, this.streams), 'serverStream'];
    return [unaryHandler(method), 'unary'];
  }
}
