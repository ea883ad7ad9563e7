import { refuseInvalid, type FoundViolation } from './domain-error';
import type { FieldReason } from './field-reason';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const REQUEST_ID_LENGTH_MAX = 64;
const FIELD_MASK_PATHS_MAX = 32;
/** The byte-order mark too: never meant, never seen. */
const CONTROL_CHARACTER = /[\p{Cc}\ufeff]/u;
const KEY_LENGTH_MAX = 128;

/** Whether a text is a UUID in lower case. */
export const isUuid = (text: string): boolean => UUID.test(text);

/**
 * The path of a map's value: `labels["cost-centre"]`. In quotes, as JSON writes them, so that no key looks like an index or
 * like another path; a key longer than any valid one is cut.
 */
export const mapPath = (field: string, key: string): string =>
  `${field}[${JSON.stringify(key.slice(0, KEY_LENGTH_MAX))}]`;

/** Collects every violated field of a request, then refuses once. Fields are proto paths. */
export class FieldChecks {
  readonly violations: FoundViolation[] = [];

  add(field: string, reason: FieldReason, description: string): this {
    this.violations.push({ field, reason, description });
    return this;
  }

  /** Adds a violation unless `holds`. */
  require(holds: boolean, field: string, reason: FieldReason, description: string): this {
    return holds ? this : this.add(field, reason, description);
  }

  present(field: string, value: unknown): this {
    return this.require(value !== undefined, field, 'REQUIRED', 'must be set');
  }

  uuid(field: string, value: string): this {
    if (value === '') return this.add(field, 'REQUIRED', 'must be set');
    return this.require(isUuid(value), field, 'MALFORMED', 'must be a UUID in lower case');
  }

  optionalUuid(field: string, value: string): this {
    return value === '' ? this : this.uuid(field, value);
  }

  requestId(value: string): this {
    return this.text('request_id', value, REQUEST_ID_LENGTH_MAX);
  }

  /** 1 to `max` characters, none of them a control character. */
  text(field: string, value: string, max: number): this {
    return value === '' ? this.add(field, 'REQUIRED', 'must be set') : this.optionalText(field, value, max);
  }

  optionalText(field: string, value: string, max: number): this {
    if (value.length > max) return this.add(field, 'TOO_LONG', `must have at most ${max} characters`);
    return this.require(!CONTROL_CHARACTER.test(value), field, 'MALFORMED', 'must not hold control characters');
  }

  range<T extends number | bigint>(field: string, value: T, min: T, max: T): this {
    return this.require(value >= min && value <= max, field, 'OUT_OF_RANGE', `must be ${min} to ${max}`);
  }

  count(field: string, length: number, min: number, max: number): this {
    if (length < min) return this.add(field, 'REQUIRED', `must have at least ${min} elements`);
    return this.require(length <= max, field, 'TOO_MANY', `must have at most ${max} elements`);
  }

  /** `undefined` stands for a value that the enum does not know, or for none. */
  known(field: string, value: unknown, values: readonly string[]): this {
    return this.require(value !== undefined, field, 'UNKNOWN_VALUE', `must be one of ${values.join(', ')}`);
  }

  /** A mask names at least one path, each of them one of `allowed`. */
  mask(paths: readonly string[], allowed: readonly string[]): this {
    const names = allowed.join(', ');
    this.count('update_mask', paths.length, 1, FIELD_MASK_PATHS_MAX);
    for (const path of paths.slice(0, FIELD_MASK_PATHS_MAX))
      if (!allowed.includes(path))
        this.add('update_mask', 'UNKNOWN_VALUE', `${JSON.stringify(path.slice(0, 64))} is not one of ${names}`);
    return this;
  }

  /** Throws `invalid` INVALID_FIELDS with all of them; does nothing when there are none. */
  refuse(): void {
    refuseInvalid(this.violations);
  }
}
