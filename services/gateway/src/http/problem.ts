import { STATUS_CODES } from 'node:http';
import { status } from '@grpc/grpc-js';
import { DomainError, type FieldViolation } from '@daya/kernel';
import { CODE_BY_KIND, GrpcCallError } from '@daya/nest';
import { HttpRefusal } from './refusal';

/** RFC 9457, with the stable reason that every Daya error has. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly reason: string;
  readonly domain: string;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly traceId: string;
}

export const PROBLEM_TYPE = 'application/problem+json';
const DOMAIN = 'daya';
const TYPE_PREFIX = 'urn:daya:problem:';

/** google.rpc.Code → HTTP, as google/rpc/code.proto maps them. */
export const HTTP_BY_CODE: Readonly<Record<number, number>> = {
  [status.CANCELLED]: 499,
  [status.UNKNOWN]: 500,
  [status.INVALID_ARGUMENT]: 400,
  [status.DEADLINE_EXCEEDED]: 504,
  [status.NOT_FOUND]: 404,
  [status.ALREADY_EXISTS]: 409,
  [status.PERMISSION_DENIED]: 403,
  [status.RESOURCE_EXHAUSTED]: 429,
  [status.FAILED_PRECONDITION]: 400,
  [status.ABORTED]: 409,
  [status.OUT_OF_RANGE]: 400,
  [status.UNIMPLEMENTED]: 501,
  [status.INTERNAL]: 500,
  [status.UNAVAILABLE]: 503,
  [status.DATA_LOSS]: 500,
  [status.UNAUTHENTICATED]: 401,
};

/** Said instead of what transports and bugs say: their words name hosts, ports and files. */
const PLAIN_DETAIL: Readonly<Record<number, string>> = {
  [status.UNAVAILABLE]: 'a part of the platform does not answer now: try again',
  [status.DEADLINE_EXCEEDED]: 'the platform did not answer in time',
  [status.CANCELLED]: 'the call was cancelled',
  [status.RESOURCE_EXHAUSTED]: 'a limit was reached: try again later',
};

interface Refused {
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
  readonly violations?: readonly FieldViolation[];
  readonly metadata?: Readonly<Record<string, string>>;
}

const INTERNAL: Refused = { status: 500, reason: 'INTERNAL', detail: 'internal error' };

/** Any error as its problem; bugs and broken peers say nothing of their cause. */
export function problemOf(error: unknown, traceId: string): Problem {
  const { status: code, reason, detail, violations = [], metadata = {} } = refusedBy(error);
  const title = code === 499 ? 'Client Closed Request' : (STATUS_CODES[code] ?? 'Error');
  const type = TYPE_PREFIX + reason;
  return { type, title, status: code, detail, reason, domain: DOMAIN, violations, metadata, traceId };
}

/** True for what must be logged with its stack: not a refusal, but a bug here or in a peer. */
export const isBug = (error: unknown): boolean => refusedBy(error).status === 500;

/** Headers that belong to a refusal: Allow, Retry-After, WWW-Authenticate. */
export function problemHeaders(error: unknown, { status: code, reason }: Problem): Record<string, string> {
  const own = error instanceof HttpRefusal ? error.headers : {};
  if (code === 401) return { 'www-authenticate': `Bearer realm="daya", error="${reason}"`, ...own };
  if (code === 503) return { 'retry-after': '1', ...own };
  return { ...own };
}

function refusedBy(error: unknown): Refused {
  if (error instanceof HttpRefusal) return { ...partsOf(error), status: error.status };
  if (error instanceof DomainError) return ofCode(CODE_BY_KIND[error.kind], partsOf(error));
  if (error instanceof GrpcCallError) return ofCallError(error);
  return INTERNAL;
}

const partsOf = (error: HttpRefusal | DomainError | GrpcCallError) => ({
  reason: error.reason,
  detail: error.message,
  violations: error.violations,
  metadata: error.metadata,
});

function ofCallError(error: GrpcCallError): Refused {
  // Our own identity was refused: nothing that the caller could mend.
  if (error.code === status.UNAUTHENTICATED) return INTERNAL;
  const withoutReason = error.reason === status[error.code];
  if (!withoutReason) return ofCode(error.code, partsOf(error));
  const detail = PLAIN_DETAIL[error.code] ?? 'the request was refused';
  return ofCode(error.code, { reason: error.reason, detail });
}

function ofCode(code: number, refused: Omit<Refused, 'status'>): Refused {
  const http = HTTP_BY_CODE[code] ?? 500;
  if (http === 500) return INTERNAL;
  return { ...refused, status: refused.reason === 'REQUEST_TOO_LARGE' ? 413 : http };
}
