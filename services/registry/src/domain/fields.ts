import { FieldChecks } from '@daya/kernel';

const SLUG = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const EMAIL = /^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$/;
/** An address may hold none, wherever it stands. */
const CONTROL = /[\u0000-\u001f\u007f\ufeff]/;
const SLUG_LENGTH_MAX = 64;
const EMAIL_LENGTH_MAX = 254;
export const DISPLAY_NAME_LENGTH_MAX = 100;

/** The checks of every service, and those of names and addresses. */
export class Fields extends FieldChecks {
  displayName(field: string, value: string): this {
    this.text(field, value, DISPLAY_NAME_LENGTH_MAX);
    return this.require(value === '' || value.trim() !== '', field, 'MALFORMED', 'must not be blank');
  }

  /** Lower-case words with hyphens: regions and models. */
  slug(field: string, value: string): this {
    return value === '' ? this.add(field, 'REQUIRED', 'must be set') : this.optionalSlug(field, value);
  }

  optionalSlug(field: string, value: string): this {
    if (value === '') return this;
    if (value.length > SLUG_LENGTH_MAX)
      return this.add(field, 'TOO_LONG', `must have at most ${SLUG_LENGTH_MAX} characters`);
    return this.require(SLUG.test(value), field, 'MALFORMED', 'must be lower-case words joined by hyphens');
  }

  email(field: string, value: string): this {
    if (value === '') return this.add(field, 'REQUIRED', 'must be set');
    if (value.length > EMAIL_LENGTH_MAX)
      return this.add(field, 'TOO_LONG', `must have at most ${EMAIL_LENGTH_MAX} characters`);
    return this.require(EMAIL.test(value) && !CONTROL.test(value), field, 'MALFORMED', 'must be an e-mail address');
  }
}
