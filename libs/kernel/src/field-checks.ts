import { refuseInvalid, type FieldViolation } from './domain-error';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const REQUEST_ID_LENGTH_MAX = 64;
const PAGE_TOKEN_LENGTH_MAX = 1_024;
const CONTROL_CHARACTER = /\p{Cc}/u;
const KEY_LENGTH_MAX = 128;

/**
 * The path of a map's value: `labels["cost-centre"]`. In quotes, as JSON writes them, so that no key looks like an index or
 * like another path; a key longer than any valid one is cut.
 */
export const mapPath = (field: string, key: string): string =>
  `${field}[${JSON.stringify(key.slice(0, KEY_LENGTH_MAX))}]`;

/** Collects every violated field of a request, then refuses once. Fields are proto paths. */
export class FieldChecks {
  readonly violations: FieldViolation[] = [];

  add(field: string, reason: string, description: string): this {
    this.violations.push({ field, reason, description });
    return this;
  }

  present(field: string, value: unknown): this {
    return value === undefined ? this.add(field, 'REQUIRED', 'must be set') : this;
  }

  uuid(field: string, value: string): this {
    if (value === '') return this.add(field, 'REQUIRED', 'must be set');
    return UUID.test(value) ? this : this.add(field, 'NOT_A_UUID', 'must be a UUID in lower case');
  }

  optionalUuid(field: string, value: string): this {
    return value === '' ? this : this.uuid(field, value);
  }

  requestId(field: string, value: string): this {
    return this.text(field, value, REQUEST_ID_LENGTH_MAX);
  }

  pageToken(value: string): this {
    return value.length <= PAGE_TOKEN_LENGTH_MAX
      ? this
      : this.add('page_token', 'TOO_LONG', 'was not issued by this service');
  }

  /** 1 to `max` characters, none of them a control character. */
  text(field: string, value: string, max: number): this {
    if (value === '') return this.add(field, 'REQUIRED', 'must be set');
    if (value.length > max) return this.add(field, 'TOO_LONG', `must have at most ${max} characters`);
    return CONTROL_CHARACTER.test(value) ? this.add(field, 'CONTROL_CHARACTER', 'must be printable') : this;
  }

  range<T extends number | bigint>(field: string, value: T, min: T, max: T): this {
    return value >= min && value <= max ? this : this.add(field, 'OUT_OF_RANGE', `must be ${min} to ${max}`);
  }

  count(field: string, length: number, min: number, max: number): this {
    return length >= min && length <= max
      ? this
      : this.add(field, 'COUNT_OUT_OF_RANGE', `must have ${min} to ${max} elements`);
  }

  refuse(): void {
    refuseInvalid(this.violations);
  }
}
