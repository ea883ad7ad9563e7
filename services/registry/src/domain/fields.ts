import { refuseInvalid, type FieldViolation } from '@daya/kernel';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const EMAIL = /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/;
/** Control characters and the byte-order mark: never meant, and Postgres refuses the first of them. */
const CONTROL = /[\u0000-\u001f\u007f\ufeff]/;
const REQUEST_ID_LENGTH_MAX = 64;
const SLUG_LENGTH_MAX = 64;
const EMAIL_LENGTH_MAX = 254;
export const DISPLAY_NAME_LENGTH_MAX = 100;
export const FIELD_MASK_PATHS_MAX = 32;

/** Collects the violated fields of one request, so that its sender sees them all at once. Fields are proto paths. */
export class Fields {
  private readonly violations: FieldViolation[] = [];

  add(field: string, reason: string, description: string): void {
    this.violations.push({ field, reason, description });
  }

  /** Adds a violation unless `holds`. */
  require(holds: boolean, field: string, reason: string, description: string): void {
    if (!holds) this.add(field, reason, description);
  }

  requestId(value: string): void {
    this.text('request_id', value, REQUEST_ID_LENGTH_MAX);
  }

  displayName(field: string, value: string): void {
    this.text(field, value, DISPLAY_NAME_LENGTH_MAX);
    if (value !== '' && value.trim() === '') this.add(field, 'BLANK', 'must not be blank');
  }

  /** 1 to `max` characters without control characters. */
  text(field: string, value: string, max: number): void {
    if (value === '') this.add(field, 'REQUIRED', 'must not be empty');
    this.optionalText(field, value, max);
  }

  optionalText(field: string, value: string, max: number): void {
    if (value.length > max) this.add(field, 'TOO_LONG', `must have at most ${max} characters`);
    if (CONTROL.test(value)) this.add(field, 'INVALID_CHARACTERS', 'must not hold control characters');
  }

  id(field: string, value: string): void {
    if (value === '') this.add(field, 'REQUIRED', 'must not be empty');
    else this.require(UUID.test(value), field, 'INVALID_FORMAT', 'must be a UUID in lower case');
  }

  optionalId(field: string, value: string): void {
    if (value !== '') this.id(field, value);
  }

  /** Lower-case words with hyphens: regions and models. */
  slug(field: string, value: string): void {
    if (value === '') this.add(field, 'REQUIRED', 'must not be empty');
    else this.optionalSlug(field, value);
  }

  optionalSlug(field: string, value: string): void {
    if (value === '') return;
    if (value.length > SLUG_LENGTH_MAX) this.add(field, 'TOO_LONG', `must have at most ${SLUG_LENGTH_MAX} characters`);
    else this.require(SLUG.test(value), field, 'INVALID_FORMAT', 'must be lower-case words joined by hyphens');
  }

  email(field: string, value: string): void {
    if (value === '') this.add(field, 'REQUIRED', 'must not be empty');
    else if (value.length > EMAIL_LENGTH_MAX)
      this.add(field, 'TOO_LONG', `must have at most ${EMAIL_LENGTH_MAX} characters`);
    else this.require(EMAIL.test(value) && !CONTROL.test(value), field, 'INVALID_FORMAT', 'must be an e-mail address');
  }

  range(field: string, value: number | bigint, min: number | bigint, max: number | bigint): void {
    this.require(value >= min && value <= max, field, 'OUT_OF_RANGE', `must be ${min} to ${max}`);
  }

  /** `undefined` stands for a value that the enum does not know, or for none. */
  known(field: string, value: unknown, values: readonly string[]): void {
    if (value === undefined) this.add(field, 'UNKNOWN_VALUE', `must be one of ${values.join(', ')}`);
  }

  /** A mask names at least one path, each of them one of `allowed`. */
  mask(paths: readonly string[], allowed: readonly string[]): void {
    if (paths.length === 0) this.add('update_mask', 'REQUIRED', `must name some of ${allowed.join(', ')}`);
    if (paths.length > FIELD_MASK_PATHS_MAX)
      this.add('update_mask', 'TOO_LONG', `must name at most ${FIELD_MASK_PATHS_MAX} paths`);
    const unknown = paths.slice(0, FIELD_MASK_PATHS_MAX).filter((path) => !allowed.includes(path));
    for (const path of unknown)
      this.add(
        'update_mask',
        'UNKNOWN_PATH',
        `${JSON.stringify(path.slice(0, 64))} is not one of ${allowed.join(', ')}`,
      );
  }

  /** Throws `invalid` INVALID_FIELDS with all of them; does nothing when there are none. */
  refuse(): void {
    refuseInvalid(this.violations);
  }
}
