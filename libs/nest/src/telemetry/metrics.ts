import { status } from '@grpc/grpc-js';
import { collectDefaultMetrics, Histogram, register } from 'prom-client';

/** Everything that /metrics shows, other libraries' too. Never label by id: organisations, nodes, jobs and keys are without number. */
export const metrics = register;

let defaults = false;

/** Event loop, memory and garbage collection of this process; once. */
export function collectProcessMetrics(): void {
  if (defaults) return;
  defaults = true;
  collectDefaultMetrics({ register: metrics });
}

const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const serverDurations = new Histogram({
  name: 'daya_rpc_server_duration_seconds',
  help: 'Time from the request to its status, by method and gRPC code; streams by their whole life',
  labelNames: ['method', 'code'],
  buckets: BUCKETS_SECONDS,
  registers: [metrics],
});

const clientDurations = new Histogram({
  name: 'daya_rpc_client_duration_seconds',
  help: 'Time of a call with its retries, by method and gRPC code',
  labelNames: ['method', 'code'],
  buckets: BUCKETS_SECONDS,
  registers: [metrics],
});

export type ObserveCall = (code: number, seconds: number) => void;

/** Labels are resolved once per (method, code): the hot path only adds to a bucket. */
function observerOf(histogram: Histogram<'method' | 'code'>, method: string): ObserveCall {
  const children: Histogram.Internal<'method' | 'code'>[] = [];
  return (code, seconds) => {
    const child = (children[code] ??= histogram.labels(method, status[code] ?? 'UNKNOWN'));
    child.observe(seconds);
  };
}

export const serverObserver = (method: string): ObserveCall => observerOf(serverDurations, method);
export const clientObserver = (method: string): ObserveCall => observerOf(clientDurations, method);
