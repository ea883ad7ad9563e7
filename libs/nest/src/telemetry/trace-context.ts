import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
} from '@opentelemetry/api';

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

export const tracer = trace.getTracer('daya');

/** The W3C header of the span that is active now, to travel with a message; undefined outside of any. */
export function traceparent(): string | undefined {
  const span = trace.getSpanContext(context.active());
  return span === undefined ? undefined : traceparentOf(span.traceId, span.spanId, span.traceFlags);
}

export const traceparentOf = (traceId: string, spanId: string, flags: number): string =>
  `00-${traceId}-${spanId}-${flags === TraceFlags.SAMPLED ? '01' : '00'}`;

/** The context that a received header names; a missing or malformed header starts a new trace. */
export function parentContext(header: string | undefined): Context {
  const match = header === undefined ? null : TRACEPARENT.exec(header);
  if (match === null) return ROOT_CONTEXT;
  const [, traceId = '', spanId = '', flags = '00'] = match;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
  });
}

/** Runs `fn` as a child span of the active one; an error marks the span and is thrown on. */
export function withSpan<T>(name: string, fn: (span: Span) => Promise<T>): Promise<T> {
  return runInSpan(name, SpanKind.INTERNAL, context.active(), fn);
}

/** Runs `fn` as the continuation of the trace that a message carried (Kafka header, queue data). */
export function withTraceparent<T>(
  header: string | undefined,
  name: string,
  fn: (span: Span) => Promise<T>,
): Promise<T> {
  return runInSpan(name, SpanKind.CONSUMER, parentContext(header), fn);
}

function runInSpan<T>(name: string, kind: SpanKind, parent: Context, fn: (span: Span) => Promise<T>): Promise<T> {
  const span = tracer.startSpan(name, { kind }, parent);
  return context.with(trace.setSpan(parent, span), async () => {
    try {
      return await fn(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}
