import { AMOUNT_MAX, type FieldReason, type FoundViolation } from '@daya/kernel';

const DECIMAL = /^(0|[1-9][0-9]*)$/;
const LONE_SURROGATE = /\p{Surrogate}/u;
/** Longer text is refused before it becomes a bigint; 2^127 has 39 digits. */
const DIGITS_MAX = 40;

/**
 * Reads one JSON object that must hold exactly `fields`, and notes every violation under its path. A read of a violating
 * field answers a harmless value, so that one pass finds all problems; the caller must refuse when `problems` grew.
 */
export class StrictObject {
  private readonly values: Readonly<Record<string, unknown>>;

  constructor(
    value: unknown,
    readonly path: string,
    fields: readonly string[],
    private readonly problems: FoundViolation[],
  ) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.values = {};
      this.problem(undefined, 'WRONG_TYPE', 'must be an object');
      return;
    }
    this.values = value as Record<string, unknown>;
    for (const name of Object.keys(value)) {
      if (!fields.includes(name)) this.problem(name, 'UNKNOWN_FIELD', 'is not a known field');
    }
    for (const name of fields) {
      if (!Object.hasOwn(value, name)) this.problem(name, 'REQUIRED', 'is missing');
    }
  }

  /** A canonical decimal string of 0 to `max`. */
  decimal(name: string, max: bigint = AMOUNT_MAX): bigint {
    const value = this.value(name);
    if (value === undefined) return 0n;
    if (typeof value !== 'string' || !DECIMAL.test(value)) {
      this.problem(name, 'MALFORMED', 'must be a decimal string without sign, blank or leading zero');
      return 0n;
    }
    const amount = value.length > DIGITS_MAX ? max + 1n : BigInt(value);
    if (amount <= max) return amount;
    this.problem(name, 'OUT_OF_RANGE', `must be at most ${max}`);
    return 0n;
  }

  /** A canonical decimal string that may carry a minus sign. */
  integer(name: string): bigint {
    const value = this.value(name);
    const isNegative = typeof value === 'string' && /^-[1-9][0-9]{0,18}$/.test(value);
    if (isNegative && BigInt(value) >= -AMOUNT_MAX) return BigInt(value);
    return this.decimal(name);
  }

  text(name: string, { mayBeEmpty = false } = {}): string {
    const value = this.value(name);
    if (value === undefined) return '';
    if (typeof value !== 'string' || LONE_SURROGATE.test(value)) {
      this.problem(name, 'WRONG_TYPE', 'must be a well-formed string');
      return '';
    }
    if (value === '' && !mayBeEmpty) this.problem(name, 'REQUIRED', 'must not be empty');
    return value;
  }

  flag(name: string): boolean {
    const value = this.value(name);
    if (value === undefined || typeof value === 'boolean') return value === true;
    this.problem(name, 'WRONG_TYPE', 'must be true or false');
    return false;
  }

  rows<T>(name: string, fields: readonly string[], read: (row: StrictObject) => T): readonly T[] {
    const value = this.value(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.problem(name, 'WRONG_TYPE', 'must be a list');
      return [];
    }
    return value.map((row, index) =>
      read(new StrictObject(row, `${this.path}${name}[${index}].`, fields, this.problems)),
    );
  }

  object<T>(name: string, fields: readonly string[], read: (row: StrictObject) => T): T {
    return read(new StrictObject(this.value(name) ?? {}, `${this.path}${name}.`, fields, this.problems));
  }

  problem(name: string | undefined, reason: FieldReason, description: string): void {
    const field = name === undefined ? this.path.replace(/\.$/, '') || '(top level)' : `${this.path}${name}`;
    this.problems.push({ field, reason, description });
  }

  private value(name: string): unknown {
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined;
  }
}

/** Notes every id that an earlier row already has; `what` is the field of the list and `of` the field of the id. */
export function noteDuplicates(ids: readonly string[], list: string, field: string, problems: FoundViolation[]): void {
  const first = new Map<string, number>();
  ids.forEach((id, index) => {
    const earlier = first.get(id);
    if (earlier === undefined) first.set(id, index);
    else
      problems.push({
        field: `${list}[${index}].${field}`,
        reason: 'DUPLICATE',
        description: `is already in ${list}[${earlier}]`,
      });
  });
}
