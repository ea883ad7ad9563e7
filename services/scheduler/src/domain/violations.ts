import { isUuid, type FieldReason, type FoundViolation } from '@daya/kernel';

/** Collects every violated field of one message; field names start with the message's own path. */
export class Violations {
  readonly list: FoundViolation[] = [];

  constructor(private readonly path = '') {}

  add(field: string, reason: FieldReason, description: string): void {
    this.list.push({ field: this.path === '' ? field : `${this.path}.${field}`, reason, description });
  }

  /** Returns whether the field passed. */
  check(field: string, passed: boolean, reason: FieldReason, description: string): boolean {
    if (!passed) this.add(field, reason, description);
    return passed;
  }

  uuid(field: string, text: string): boolean {
    if (text === '') return this.check(field, false, 'REQUIRED', 'must be set');
    return this.check(field, isUuid(text), 'MALFORMED', 'must be a lower-case UUID');
  }

  range<T extends number | bigint>(field: string, value: T, min: T, max: T): boolean {
    return this.check(field, value >= min && value <= max, 'OUT_OF_RANGE', `must be ${min} to ${max}`);
  }

  length(field: string, text: string, min: number, max: number): boolean {
    if (text.length === 0 && min > 0) return this.check(field, false, 'REQUIRED', 'must be set');
    return this.check(field, text.length <= max, 'TOO_LONG', `must have at most ${max} characters`);
  }

  count(field: string, count: number, min: number, max: number): boolean {
    if (count < min) return this.check(field, false, 'REQUIRED', `must have at least ${min}`);
    return this.check(field, count <= max, 'TOO_MANY', `must have at most ${max}`);
  }
}
