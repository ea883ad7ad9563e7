import type { FieldReason } from './field-reason';

/** The closed list of refusals; each maps to one gRPC status (libs/nest) and one retry rule (libs/messaging). */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'already-exists'
  | 'precondition'
  | 'aborted'
  | 'exhausted'
  | 'denied'
  | 'unauthenticated'
  | 'unavailable';

/** One violated field: `field` is the proto path as the caller wrote it (`spec.inputs[2].path`). */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
  /** UPPER_SNAKE and stable. */
  readonly reason: string;
}

/** A violation that this platform found: its reason is one of the known words. */
export interface FoundViolation extends FieldViolation {
  readonly reason: FieldReason;
}

/**
 * A refusal that the caller can understand and act on. `reason` is UPPER_SNAKE, stable and part of the contract;
 * `message` is for people; `metadata` holds the values that the reason speaks of. Anything else that is thrown is a bug.
 */
export class DomainError extends Error {
  constructor(
    readonly kind: ErrorKind,
    readonly reason: string,
    message: string,
    readonly metadata: Readonly<Record<string, string>> = {},
    readonly violations: readonly FieldViolation[] = [],
  ) {
    super(message);
    this.name = 'DomainError';
  }
}

/** Refuses a request with every violated field at once; does nothing when the list is empty. */
export function refuseInvalid(violations: readonly FoundViolation[]): void {
  if (violations.length === 0) return;
  const fields = violations.map((violation) => violation.field).join(', ');
  throw new DomainError('invalid', 'INVALID_FIELDS', `invalid fields: ${fields}`, {}, violations);
}

export const notFound = (noun: string, id: string): DomainError =>
  new DomainError('not-found', `${noun.toUpperCase().replaceAll(' ', '_')}_NOT_FOUND`, `${noun} not found`, { id });
