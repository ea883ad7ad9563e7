import { status, type handleUnaryCall, type Server, type ServerWritableStream } from '@grpc/grpc-js';
import { health } from '@daya/proto/grpc';

/** Stays SERVING while the process lives: liveness probes ask for this name, readiness probes for ''. */
export const LIVENESS_NAME = 'live';

type Watcher = ServerWritableStream<health.HealthCheckRequest, health.HealthCheckResponse>;

/** grpc.health.v1 for '' and every service of a listener. No identity and no deadline needed. */
export class Health {
  private serving = false;
  private readonly names: ReadonlySet<string>;
  private readonly watchers = new Set<Watcher>();

  constructor(serviceNames: readonly string[]) {
    this.names = new Set(['', ...serviceNames]);
  }

  setServing(serving: boolean): void {
    if (serving === this.serving) return;
    this.serving = serving;
    for (const call of this.watchers) call.write({ status: this.statusOf(call.request.service) });
  }

  addTo(server: Server): void {
    const check: handleUnaryCall<health.HealthCheckRequest, health.HealthCheckResponse> = (call, callback) => {
      const state = this.statusOf(call.request.service);
      if (state === health.HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN)
        callback({ code: status.NOT_FOUND, details: 'unknown service' });
      else callback(null, { status: state });
    };
    const list: handleUnaryCall<health.HealthListRequest, health.HealthListResponse> = (_call, callback) => {
      const names = [...this.names, LIVENESS_NAME];
      callback(null, { statuses: Object.fromEntries(names.map((name) => [name, { status: this.statusOf(name) }])) });
    };
    server.addService(health.HealthService, { check, list, watch: (call: Watcher) => this.watch(call) });
  }

  /** Ends every watch, so that the server can close. */
  endWatches(): void {
    for (const call of this.watchers) call.end();
    this.watchers.clear();
  }

  private watch(call: Watcher): void {
    this.watchers.add(call);
    call.once('cancelled', () => this.watchers.delete(call));
    call.write({ status: this.statusOf(call.request.service) });
  }

  private statusOf(name: string): health.HealthCheckResponse_ServingStatus {
    if (name === LIVENESS_NAME) return health.HealthCheckResponse_ServingStatus.SERVING;
    if (!this.names.has(name)) return health.HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN;
    return this.serving
      ? health.HealthCheckResponse_ServingStatus.SERVING
      : health.HealthCheckResponse_ServingStatus.NOT_SERVING;
  }
}
