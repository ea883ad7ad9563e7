import { context as otel, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import { status } from '@grpc/grpc-js';
import { tracer } from '../telemetry/trace-context';
import { GrpcCallError } from './call-error';
import type { ClientMethod } from './create-client';

/** The client span and duration of one call with its retries; `end` exactly once. */
export class CallSpan {
  readonly otel: Context;
  private readonly startMs = performance.now();

  constructor(private readonly method: ClientMethod) {
    const parent = otel.active();
    this.otel = trace.setSpan(parent, tracer.startSpan(method.definition.path, { kind: SpanKind.CLIENT }, parent));
  }

  end(error?: unknown): void {
    const code = error === undefined ? status.OK : error instanceof GrpcCallError ? error.code : status.UNKNOWN;
    this.method.observe(code, (performance.now() - this.startMs) / 1_000);
    const span = trace.getSpan(this.otel);
    span?.setAttribute('rpc.grpc.status_code', code);
    if (code !== status.OK) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
  }
}
