import { Server, type handleUnaryCall, type ServiceError, type ServerUnaryCall } from '@grpc/grpc-js';
import { DomainError } from '@daya/kernel';
import { loadTls, serverCredentials, toStatus } from '@daya/nest';
import type { ApiMethod, Catalogue } from '../api/catalogue';
import { PARTNER_MESSAGE_BYTES_MAX } from '../limits';
import { PartnerHealth } from './health';
import { bidiProxy, clientStreamProxy, serverStreamProxy, unaryProxy, type PartnerParts } from './partner-handlers';
import { addReflection } from './reflection';

export interface PartnerOptions {
  readonly port: number;
  readonly bindAddress: string;
  readonly tlsFolder: string;
  readonly drainMs: number;
}

const bytes = (message: Buffer): Buffer => message;

/** The partners' entrance: the public protos over TLS, every call proven by an API key, every message passed on as bytes. */
export class PartnerServer {
  private readonly server: Server;
  private readonly health: PartnerHealth;
  private boundPort = 0;

  constructor(
    private readonly parts: PartnerParts,
    { members, internal }: Catalogue,
    private readonly options: PartnerOptions,
  ) {
    this.server = new Server({
      'grpc.max_receive_message_length': PARTNER_MESSAGE_BYTES_MAX,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
    for (const method of members) this.register(method);
    for (const path of internal)
      this.server.register(path, refuseMembers as handleUnaryCall<Buffer, Buffer>, bytes, bytes, 'unary');
    const names = [...new Set(members.map(({ descriptor }) => descriptor.parent.typeName))];
    this.health = new PartnerHealth(names);
    this.health.addTo(this.server);
    addReflection(this.server, [...names, 'grpc.health.v1.Health']);
  }

  get port(): number {
    return this.boundPort;
  }

  async start(): Promise<void> {
    const { tlsFolder, bindAddress, port } = this.options;
    const credentials = serverCredentials(loadTls(tlsFolder, 'gateway'), false);
    this.boundPort = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync(`${bindAddress}:${port}`, credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.health.setServing(true);
  }

  /** Ends streams at once and gives calls in flight their time. */
  stop(): Promise<void> {
    this.health.setServing(false);
    this.health.endWatches();
    this.parts.slots.endAll();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.server.forceShutdown();
        resolve();
      }, this.options.drainMs);
      this.server.tryShutdown(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private register({ path, descriptor }: ApiMethod): void {
    const [handler, type] = this.handlerOf(path, descriptor.methodKind);
    this.server.register(path, handler as handleUnaryCall<Buffer, Buffer>, bytes, bytes, type);
  }

  private handlerOf(path: string, kind: ApiMethod['descriptor']['methodKind']): [unknown, string] {
    switch (kind) {
      case 'unary':
        return [unaryProxy(this.parts, path), 'unary'];
      case 'server_streaming':
        return [serverStreamProxy(this.parts, path), 'serverStream'];
      case 'client_streaming':
        return [clientStreamProxy(this.parts, path), 'clientStream'];
      case 'bidi_streaming':
        return [bidiProxy(this.parts, path), 'bidi'];
    }
  }
}

/** RPCs between services exist, and not for partners; whatever key they bring. */
function refuseMembers(_call: ServerUnaryCall<Buffer, Buffer>, callback: (error: Partial<ServiceError>) => void): void {
  callback(toStatus(new DomainError('denied', 'MEMBERS_NOT_ALLOWED', 'this method is for services only')));
}
