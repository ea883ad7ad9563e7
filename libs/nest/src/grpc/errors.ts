import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { DomainError, type ErrorKind, type FieldViolation } from '@daya/kernel';
import { BadRequest, ErrorInfo, Status } from '@daya/proto/google';

export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';
export const ERROR_DOMAIN = 'daya';

const TYPE_PREFIX = 'type.googleapis.com/';
const ERROR_INFO_URL = `${TYPE_PREFIX}google.rpc.ErrorInfo`;
const BAD_REQUEST_URL = `${TYPE_PREFIX}google.rpc.BadRequest`;

/** Trailers share a small frame with the peer's limits; what does not fit is cut, the reason never. */
const MAX_VIOLATIONS = 50;
const MAX_TEXT_LENGTH = 500;

export const CODE_BY_KIND: Readonly<Record<ErrorKind, status>> = {
  invalid: status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  'already-exists': status.ALREADY_EXISTS,
  precondition: status.FAILED_PRECONDITION,
  aborted: status.ABORTED,
  exhausted: status.RESOURCE_EXHAUSTED,
  denied: status.PERMISSION_DENIED,
  unauthenticated: status.UNAUTHENTICATED,
  unavailable: status.UNAVAILABLE,
};

export const KIND_BY_CODE: ReadonlyMap<number, ErrorKind> = new Map(
  Object.entries(CODE_BY_KIND).map(([kind, code]) => [code, kind as ErrorKind]),
);

/** Lone surrogates and endless texts do not belong in an HTTP/2 header. */
const headerText = (text: string): string => Buffer.from(text.slice(0, MAX_TEXT_LENGTH)).toString();

/** A refusal as status and `google.rpc.Status` trailer; anything else says nothing of its cause: that is for the log. */
export function toStatus(error: unknown): StatusObject {
  if (!(error instanceof DomainError))
    return { code: status.INTERNAL, details: 'internal error', metadata: new Metadata() };
  const code = CODE_BY_KIND[error.kind];
  const details = headerText(error.message);
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, statusBytes(code, details, error));
  return { code, details, metadata };
}

function statusBytes(code: number, message: string, error: DomainError): Buffer {
  const info = ErrorInfo.fromPartial({ reason: error.reason, domain: ERROR_DOMAIN, metadata: cut(error.metadata) });
  const details = [{ typeUrl: ERROR_INFO_URL, value: Buffer.from(ErrorInfo.encode(info).finish()) }];
  if (error.violations.length > 0) {
    const fieldViolations = error.violations.slice(0, MAX_VIOLATIONS).map((violation) => ({
      field: headerText(violation.field),
      description: headerText(violation.description),
      reason: violation.reason,
    }));
    const badRequest = BadRequest.fromPartial({ fieldViolations });
    details.push({ typeUrl: BAD_REQUEST_URL, value: Buffer.from(BadRequest.encode(badRequest).finish()) });
  }
  return Buffer.from(Status.encode(Status.fromPartial({ code, message, details })).finish());
}

const cut = (metadata: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, headerText(value)]));

export interface ErrorDetails {
  /** Empty when the peer sent none. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
}

/** Reads the trailer that `toStatus` writes; missing or unreadable details are empty, never an error. */
export function readDetails(trailers: Metadata | undefined): ErrorDetails {
  const [bytes] = trailers?.get(STATUS_DETAILS_KEY) ?? [];
  const empty = { reason: '', metadata: {}, violations: [] };
  if (!Buffer.isBuffer(bytes)) return empty;
  try {
    return detailsOf(Status.decode(bytes));
  } catch {
    return empty;
  }
}

function detailsOf(answer: Status): ErrorDetails {
  const value = (url: string): Uint8Array | undefined => answer.details.find((any) => any.typeUrl === url)?.value;
  const info = value(ERROR_INFO_URL);
  const badRequest = value(BAD_REQUEST_URL);
  const { reason, metadata } = info === undefined ? { reason: '', metadata: {} } : ErrorInfo.decode(info);
  const violations = badRequest === undefined ? [] : BadRequest.decode(badRequest).fieldViolations;
  return {
    reason,
    metadata,
    violations: violations.map(({ field, description, reason: why }) => ({ field, description, reason: why })),
  };
}
