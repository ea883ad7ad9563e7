import { Counter } from 'prom-client';
import { metrics, type Logger } from '@daya/nest';
import { Alarms } from '../application/ports';
import type { EnrolmentToken } from '../domain/enrolment';

const tokensReused = new Counter({
  name: 'daya_registry_enrolment_tokens_reused_total',
  help: 'Used enrolment tokens that somebody else tried again: each may be a stolen one',
  registers: [metrics],
});

/** Prometheus to alert on, and a log line that says whose it was. */
export class PrometheusAlarms extends Alarms {
  constructor(private readonly log: Logger) {
    super();
  }

  override tokenReused({ tokenId, organisationId, providerId, nodeId }: EnrolmentToken): void {
    tokensReused.inc();
    const about = { token_id: tokenId, organisation_id: organisationId, provider_id: providerId, node_id: nodeId };
    this.log.warn(about, 'a used enrolment token was tried again with another key');
  }
}
