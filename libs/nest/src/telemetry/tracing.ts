import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

let provider: NodeTracerProvider | undefined;

/**
 * Starts tracing for this process, once. Trace ids exist and travel in any case, so that logs of different services can
 * be joined; spans are recorded and sent only when `endpoint` (OTLP over HTTP) is set.
 */
export function startTracing(service: string, endpoint: string | undefined): void {
  if (provider !== undefined) return;
  provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `daya-${service}` }),
    sampler: endpoint === undefined ? new AlwaysOffSampler() : new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors:
      endpoint === undefined
        ? []
        : [new BatchSpanProcessor(new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` }))],
  });
  provider.register();
}

/** Sends what is still in memory; a collector that does not answer costs at most the exporter's own timeout. */
export async function flushTraces(): Promise<void> {
  await provider?.forceFlush().catch(() => undefined);
}
