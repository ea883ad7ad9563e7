import { Counter, Gauge, register } from 'prom-client';

/** Registers once per process; several relays or consumers share a metric and differ in labels. */
const gauge = (name: string, help: string, labelNames: string[]): Gauge =>
  (register.getSingleMetric(name) as Gauge | undefined) ?? new Gauge({ name, help, labelNames });
const counter = (name: string, help: string, labelNames: string[]): Counter =>
  (register.getSingleMetric(name) as Counter | undefined) ?? new Counter({ name, help, labelNames });

export const outboxOldestSeconds = gauge(
  'daya_outbox_oldest_unpublished_seconds',
  'Age of the oldest event that Kafka has not acknowledged',
  ['source'],
);
export const outboxPublished = counter('daya_outbox_published_total', 'Events that Kafka acknowledged', ['source']);
export const relayFailures = counter(
  'daya_outbox_relay_failures_total',
  'Batches that could not be published or marked',
  ['source'],
);
export const consumerLag = gauge(
  'daya_consumer_lag_events',
  'Events of a partition that the consumer has not handled',
  ['consumer', 'topic', 'partition'],
);
export const consumerParked = gauge('daya_consumer_parked_events', 'Parked events that nobody has resolved', [
  'consumer',
  'kind',
]);
export const consumerEvents = counter('daya_consumer_events_total', 'Events by what became of them', [
  'consumer',
  'topic',
  'outcome',
]);
export const consumerRestarts = counter(
  'daya_consumer_restarts_total',
  'Consumers that failed and were started again',
  ['consumer'],
);
