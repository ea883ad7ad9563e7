import { metrics, type Logger } from '@daya/nest';
import { Counter, Histogram } from 'prom-client';

const durations = new Histogram({
  name: 'daya_gateway_http_duration_seconds',
  help: 'Time from a request to the end of its answer, by route and HTTP status; streams by their whole life',
  labelNames: ['verb', 'route', 'status'],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  registers: [metrics],
});

const refusals = new Counter({
  name: 'daya_gateway_refusals_total',
  help: 'Requests that were answered with a problem, by its stable reason',
  labelNames: ['reason'],
  registers: [metrics],
});

/** What became of one request. */
export interface Answer {
  readonly verb: string;
  /** As sent; `route` is the pattern that it met, empty when it met none. */
  readonly path: string;
  readonly route: string;
  readonly status: number;
  /** Of the problem; empty for a success. */
  readonly reason: string;
  readonly seconds: number;
  readonly traceId: string;
}

/** Counts an answer, and logs it: refusals for everyone who asks why, successes for those who look closely. */
export function tellAnswer(log: Logger, answer: Answer): void {
  const { verb, path, route, status, reason, seconds, traceId } = answer;
  // Only patterns and known verbs: what callers make up would be series without number.
  durations.labels(route === '' ? '' : verb, route, String(status)).observe(seconds);
  if (reason !== '') refusals.labels(reason).inc();
  const about = { verb, path, route, status, reason, ms: Math.round(seconds * 1_000), trace_id: traceId };
  if (reason !== '') log.info(about, 'refused');
  else log.debug(about, 'answered');
}
