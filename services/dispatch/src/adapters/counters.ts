import { Counter, Gauge } from 'prom-client';
import { metrics, type Logger } from '@daya/nest';
import { DomainError } from '@daya/kernel';
import { Counters } from '../application/ports';
import type { ReportOutcome } from '../domain/frames';
import { isReason } from '../domain/shapes';

const registers = [metrics];
const agents = new Gauge({ name: 'daya_dispatch_agents', help: 'Agents that are connected', registers });
const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
  new Counter({ name: `daya_dispatch_${name}_total`, help, labelNames: [...labelNames], registers });
const frames = counter('frames', 'Frames of agents, by kind', ['kind']);
const dropped = counter('frames_dropped', 'Frames left unanswered, by kind and reason', ['kind', 'reason']);
const reports = counter('reports', 'Reports by what became of them', ['outcome']);
const offers = counter('orders', 'Offers and stops by what became of them', ['what']);
const streams = counter('streams_ended', 'Streams of agents, by how they ended', ['reason']);
const failures = counter('failures', 'Work that failed and is repeated by its sender', ['what']);

/** Prometheus, and a log line for what a person may want to see. Labels never come from an agent's own words. */
export class PrometheusCounters extends Counters {
  constructor(private readonly log: Logger) {
    super();
  }

  override agents(count: number): void {
    agents.set(count);
  }

  override frame(kind: string): void {
    frames.inc({ kind });
  }

  override dropped(kind: string, reason: string): void {
    dropped.inc({ kind, reason: isReason(reason) ? reason : 'OTHER' });
  }

  override report(outcome: ReportOutcome, reason: string): void {
    reports.inc({ outcome });
    if (outcome === 'STALE' || outcome === 'REFUSED') this.log.info({ outcome, reason }, 'report refused');
  }

  override offer(what: 'sent' | 'missed' | 'stop'): void {
    offers.inc({ what });
  }

  override streamEnded(reason: string): void {
    streams.inc({ reason });
  }

  override failed(what: string, error: unknown): void {
    failures.inc({ what });
    if (error instanceof DomainError) this.log.info({ what, reason: error.reason }, error.message);
    else this.log.error({ what, err: error }, `${what} failed`);
  }
}
