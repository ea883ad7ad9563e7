import { status, type Server, type handleUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { health } from '@daya/proto/grpc';

type Watcher = ServerWritableStream<health.HealthCheckRequest, health.HealthCheckResponse>;
const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = health.HealthCheckResponse_ServingStatus;

/** grpc.health.v1 of the partners' entrance: it says whether the entrance is open, not how the services behind it are. */
export class PartnerHealth {
  private serving = false;
  private readonly names: ReadonlySet<string>;
  private readonly watchers = new Set<Watcher>();

  constructor(serviceNames: readonly string[]) {
    this.names = new Set(['', ...serviceNames]);
  }

  setServing(serving: boolean): void {
    this.serving = serving;
    for (const call of this.watchers) call.write({ status: this.statusOf(call.request.service) });
  }

  endWatches(): void {
    for (const call of this.watchers) call.end();
    this.watchers.clear();
  }

  addTo(server: Server): void {
    const check: handleUnaryCall<health.HealthCheckRequest, health.HealthCheckResponse> = (call, callback) => {
      const state = this.statusOf(call.request.service);
      if (state === SERVICE_UNKNOWN) callback({ code: status.NOT_FOUND, details: 'unknown service' });
      else callback(null, { status: state });
    };
    const list: handleUnaryCall<health.HealthListRequest, health.HealthListResponse> = (_call, callback) => {
      const statuses = [...this.names].map((name) => [name, { status: this.statusOf(name) }] as const);
      callback(null, { statuses: Object.fromEntries(statuses) });
    };
    server.addService(health.HealthService, { check, list, watch: (call: Watcher) => this.watch(call) });
  }

  private watch(call: Watcher): void {
    this.watchers.add(call);
    call.once('cancelled', () => this.watchers.delete(call));
    call.write({ status: this.statusOf(call.request.service) });
  }

  private statusOf(name: string): health.HealthCheckResponse_ServingStatus {
    if (!this.names.has(name)) return SERVICE_UNKNOWN;
    return this.serving ? SERVING : NOT_SERVING;
  }
}
