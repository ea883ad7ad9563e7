import { context as otel, SpanKind, SpanStatusCode, trace, type Context } from '@opentelemetry/api';
import { status, type StatusObject } from '@grpc/grpc-js';
import { DomainError } from '@daya/kernel';
import { StrictReader, type AuthzRule } from '@daya/proto';
import type { Logger } from '../telemetry/logger';
import type { ObserveCall } from '../telemetry/metrics';
import { parentContext, tracer } from '../telemetry/trace-context';
import type { GrpcCallContext, ServerCall } from './call-context';
import type { MethodDefinition } from './definition';
import { toStatus } from './errors';
import type { Gate } from './gate';

/** One RPC with everything that its wrapper needs, resolved at start. */
export interface BoundMethod {
  readonly definition: MethodDefinition;
  readonly rule: AuthzRule;
  readonly gate: Gate;
  readonly maxRequestBytes: number;
  readonly log: Logger;
  readonly observe: ObserveCall;
  /** The controller's method behind Nest's guards and filters. */
  invoke(request: unknown, context: GrpcCallContext): Promise<unknown>;
}

/** Size, then shape. Throws `exhausted` REQUEST_TOO_LARGE or `invalid` REQUEST_NOT_DECODABLE. */
export function decodeRequest(method: BoundMethod, bytes: Buffer): unknown {
  if (bytes.length > method.maxRequestBytes) {
    const limit = String(method.maxRequestBytes);
    throw new DomainError('exhausted', 'REQUEST_TOO_LARGE', `the request is larger than ${limit} bytes`, {
      limit_bytes: limit,
    });
  }
  const reader = new StrictReader(bytes);
  try {
    const request = method.definition.requestDeserialize(reader as unknown as Buffer);
    if (reader.pos === reader.len) return request;
  } catch {
    // The parser's own words tell a caller nothing that the reason does not.
  }
  throw new DomainError('invalid', 'REQUEST_NOT_DECODABLE', 'the request is not a valid message of this method');
}

/** The span, the clock and the log of one call; `end` exactly once. */
export class CallRecord {
  readonly otel: Context;
  private readonly startMs = performance.now();

  constructor(
    private readonly method: BoundMethod,
    private readonly call: ServerCall,
  ) {
    const [header] = call.metadata.get('traceparent');
    const parent = parentContext(typeof header === 'string' ? header : undefined);
    this.otel = trace.setSpan(parent, tracer.startSpan(method.definition.path, { kind: SpanKind.SERVER }, parent));
  }

  /** Runs inside the call's trace. */
  run<T>(fn: () => T): T {
    return otel.with(this.otel, fn);
  }

  succeeded(): void {
    const code = this.call.cancelled ? this.cancelCode() : status.OK;
    const { log, definition } = this.method;
    if (log.isLevelEnabled('debug'))
      this.run(() => log.debug({ rpc: definition.path, code: status[code] }, 'call ended'));
    this.end(code);
  }

  /** The status to answer with. Bugs are logged with their stack, refusals in one line. */
  failed(error: unknown): StatusObject {
    const answer = toStatus(error);
    const code = this.call.cancelled ? this.cancelCode() : answer.code;
    this.run(() => this.logFailure(error, code));
    this.end(code);
    return answer;
  }

  private logFailure(error: unknown, code: number): void {
    const fields = { rpc: this.method.definition.path, code: status[code] };
    if (error instanceof DomainError) this.method.log.info({ ...fields, reason: error.reason }, error.message);
    else if (this.call.cancelled) this.method.log.info({ ...fields, err: error }, 'call ended by the client');
    else this.method.log.error({ ...fields, err: error }, 'call failed');
  }

  private cancelCode(): number {
    const deadline = this.call.getDeadline();
    return Number(deadline) <= Date.now() ? status.DEADLINE_EXCEEDED : status.CANCELLED;
  }

  private end(code: number): void {
    this.method.observe(code, (performance.now() - this.startMs) / 1_000);
    const span = trace.getSpan(this.otel);
    if (span?.isRecording() === true) {
      span.setAttributes({ 'rpc.system': 'grpc', 'rpc.grpc.status_code': code });
      if (code !== status.OK) span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span?.end();
  }
}
