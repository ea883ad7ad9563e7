import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { DomainError, type FieldViolation } from '@daya/kernel';
import { KIND_BY_CODE, readDetails } from '../grpc/errors';

/** A call that a peer refused, or that never reached it. */
export class GrpcCallError extends Error {
  /** Stable UPPER_SNAKE reason of the peer; the code's name when it sent none. */
  readonly reason: string;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;

  constructor(
    readonly code: status,
    message: string,
    /** As received, to be forwarded unchanged. */
    readonly trailers: Metadata,
    readonly path: string,
  ) {
    super(message);
    this.name = 'GrpcCallError';
    const { reason, violations, metadata } = readDetails(trailers);
    this.reason = reason === '' ? (status[code] ?? 'UNKNOWN') : reason;
    this.violations = violations;
    this.metadata = metadata;
  }
}

export function callErrorOf(error: unknown, path: string): GrpcCallError {
  if (error instanceof GrpcCallError) return error;
  const { code, details, message, metadata } = error as Partial<ServiceError>;
  return new GrpcCallError(
    code ?? status.UNKNOWN,
    details ?? message ?? 'the call failed',
    metadata ?? new Metadata(),
    path,
  );
}

/**
 * The refusal to answer with when a peer's refusal is ours too: same kind, reason, violations. A peer that did not answer
 * in time or broke is `unavailable`; what is no failed call comes back as it is.
 */
export function toDomainError(error: unknown): Error {
  if (!(error instanceof GrpcCallError)) return error instanceof Error ? error : new Error(String(error));
  const kind = KIND_BY_CODE.get(error.code) ?? 'unavailable';
  return new DomainError(kind, error.reason, error.message, error.metadata, error.violations);
}
