import { mapPath } from '@daya/kernel';
import { bytesOf, INT32, INT64, SPREAD, UUID_LIKE } from './bad-values';
import type { Field, Schema } from './schema';
import { text as utf8, type Entries, type Value } from './wire';

/** What a mutation does to its field; the words of the printed table. */
export type MutationKind =
  | 'missing'
  | 'empty'
  | 'malformed'
  | 'control character'
  | 'too long'
  | 'huge'
  | 'out of range'
  | 'negative money'
  | 'unknown enum'
  | 'unknown mask path'
  | 'bad timestamp'
  | 'conflict'
  | 'invalid utf-8'
  | 'truncated'
  | 'too large';

export interface BadValue {
  readonly kind: MutationKind;
  /** What it is, for the one who reads a failure. */
  readonly label: string;
  readonly value: Value | 'absent';
}

/** A list that is wrong as a whole: made from the valid one. */
export interface BadList {
  readonly kind: MutationKind;
  readonly label: string;
  /** What of the list is wrong, after its path: `["key"]`. */
  readonly at?: string;
  make(valid: readonly Value[]): readonly Value[];
}

/** What a field must be, told by what it must not be. */
export interface Rule {
  values(schema: Schema, field: Field): readonly BadValue[];
  readonly lists: readonly BadList[];
  /** The field that the service names, where it is not the mutated one itself. */
  readonly names: string | undefined;
  /** The statuses of which one must come, where it is not INVALID_ARGUMENT; such a refusal need not name a field. */
  readonly codes: readonly number[] | undefined;
  /** Nothing inside this message is looked at alone. */
  readonly whole: boolean;
}

const rule = (values: Rule['values'], more: Partial<Rule> = {}): Rule => ({
  values,
  lists: [],
  names: undefined,
  codes: undefined,
  whole: false,
  ...more,
});

const bad = (kind: MutationKind, label: string, value: Value | 'absent'): BadValue => ({ kind, label, value });
const badText = (kind: MutationKind, value: string): BadValue =>
  bad(kind, JSON.stringify(value).slice(0, 60), utf8(value));

/** Any value is fine, or the server sets it itself and does not look; the reason is for the reader. */
export const free = (_why: string): Rule => rule(() => [], { whole: true });

/** A message whose fields have rules of their own. */
export const inner = (): Rule => rule(() => []);

export interface TextOptions {
  readonly required?: boolean;
  /** The characters that are refused; control characters unless said otherwise. */
  readonly refused?: readonly string[];
}

const CONTROL = ['\0', '\u0001', '\n', '\t', '\u001b', '\u007f'];
export const NUL_ONLY = ['\0'];

/** 1 (0 when not required) to `max` characters. */
export function text(max: number, { required = true, refused = CONTROL }: TextOptions = {}): Rule {
  return rule(() => [
    ...(required ? [bad('missing', 'empty text', 'absent')] : []),
    ...[max + 1, max + 2, max + 17, 2 * max + 1, 5 * max].map((length) => badText('too long', 'x'.repeat(length))),
    badText('too long', 'ü'.repeat(max + 1)),
    badText('too long', '漢'.repeat(max + 3)),
    ...refused.flatMap((c) => [c, `${c}abc`, `ab${c}c`, `abc${c}`]).map((value) => badText('control character', value)),
  ]);
}

export const optionalText = (max: number): Rule => text(max, { required: false });

/** A text of a fixed form: `samples` have another. */
export function shaped(samples: readonly string[], { required = true }: { readonly required?: boolean } = {}): Rule {
  return rule(() => [
    ...(required ? [bad('missing', 'empty text', 'absent')] : []),
    ...samples.map((value) => badText('malformed', value)),
  ]);
}

export const uuid = (): Rule => shaped(UUID_LIKE);
export const optionalUuid = (): Rule => shaped(UUID_LIKE, { required: false });

/** Inclusive bounds; `money` marks the negative ones as such. */
export function range(min: bigint | number, max: bigint | number, money = false): Rule {
  const [low, high] = [BigInt(min), BigInt(max)];
  return rule((_schema, field) => {
    const limits = field.kind === 'int64' ? INT64 : INT32;
    const below = [low - 1n, ...SPREAD.map((step) => low - step), limits.min].filter((value) => value >= limits.min);
    const above = [high + 1n, ...SPREAD.map((step) => high + step), limits.max].filter((value) => value <= limits.max);
    const values = [...below.filter((value) => value < low), ...above.filter((value) => value > high)];
    return [...new Set(values)].map((value) => {
      if (value === 0n) return bad('missing', '0', 'absent');
      return bad(money && value < 0n ? 'negative money' : 'out of range', String(value), value);
    });
  });
}

export const atLeast = (min: bigint | number, money = false): Rule => range(min, INT64.max, money);
/** For int32 fields, whose upper bound is the type's. */
export const atLeast32 = (min: number): Rule => range(min, INT32.max);

/** A declared value other than those in `refused`; UNSPECIFIED is refused when required. */
export function enumeration({ required = true, refused = [] as readonly bigint[] } = {}): Rule {
  return rule((schema, field) => {
    const declared = schema.valuesOf(field.type);
    const next = declared.reduce((a, b) => (a > b ? a : b)) + 1n;
    const unknown = [next, next + 1n, 99n, 1_000n, 65_536n, INT32.max, -1n, -2n, INT32.min];
    return [
      ...(required ? [bad('missing', 'unspecified', 'absent')] : []),
      ...refused.map((value) => bad('out of range', `enum ${value}`, value)),
      ...unknown.map((value) => bad('unknown enum', String(value), value)),
    ];
  });
}

/** A message that must be there; its fields have rules of their own. */
export const required = (): Rule => rule(() => [bad('missing', 'message absent', 'absent')]);

/** Adds bounds on the number of elements to the rule of one element. */
export function list(
  element: Rule,
  { min = 0, max, hugest = 4_000 }: { min?: number; max: number; hugest?: number },
): Rule {
  const sizes = [...new Set([max + 1, max + 2, Math.min(2 * max + 1, hugest), hugest])];
  const grown = sizes.map((size): BadList => ({
    kind: 'huge',
    label: `${size} elements`,
    make: (valid) => Array.from({ length: size }, (_, index) => valid[index % valid.length] as Value),
  }));
  const none: BadList = { kind: 'empty', label: 'no elements', make: () => [] };
  return { ...element, lists: [...element.lists, ...(min > 0 ? [none] : []), ...grown] };
}

/** A list of which no element may be there twice. */
export function distinct(element: Rule): Rule {
  const twice: BadList = {
    kind: 'conflict',
    label: 'an element twice',
    make: (valid) => [...valid, valid[0] as Value],
  };
  return { ...element, lists: [...element.lists, twice] };
}

/** The service names `field` for whatever is wrong here. */
export const named = (field: string, of: Rule): Rule => ({ ...of, names: field });

/** Refused by the state of things and not as a field. */
export const refusedWith = (code: number, of: Rule): Rule => ({ ...of, codes: [code] });

/** Both at once: what either refuses is refused. */
export const both = (one: Rule, other: Rule): Rule => ({
  ...one,
  whole: one.whole || other.whole,
  values: (schema, field) => [...one.values(schema, field), ...other.values(schema, field)],
  lists: [...one.lists, ...other.lists],
});

/** Bytes of one of these lengths. */
export function bytes(min: number, max: number): Rule {
  return rule(() => [
    ...(min > 0 ? [bad('missing', 'no bytes', 'absent')] : []),
    ...[1, min - 1, Math.floor(min / 2)]
      .filter((n) => n > 0 && n < min)
      .map((n) => bad('malformed', `${n} bytes`, bytesOf(n))),
    ...[max + 1, max + 2, max + 17, Math.floor(1.5 * max) + 1].map((n) => bad('too long', `${n} bytes`, bytesOf(n))),
  ]);
}

/** Bytes that mean something else than they should. */
export const wrongBytes = (samples: readonly (readonly [string, Uint8Array])[]): Rule =>
  rule(() => samples.map(([label, value]) => bad('malformed', label, value)));

const messageOf = (schema: Schema, type: string, fields: Readonly<Record<string, readonly Value[]>>): Entries =>
  schema
    .fieldsOf(type)
    .flatMap((field) => (fields[field.name] ?? []).map((value) => ({ field, value })))
    .filter(({ value }) => value !== 0n);

/** A mask that names at least one of `allowed` and nothing else, at most 32 paths. */
export function mask(allowed: readonly string[]): Rule {
  const [first = ''] = allowed;
  const camel = first.replace(/_(.)/g, (_, c: string) => c.toUpperCase());
  const wrong = [
    '',
    '*',
    'nope',
    `${first}.x`,
    `${first} `,
    first.toUpperCase(),
    `.${first}`,
    `${first},${first}`,
    '\0',
    '__proto__',
    'constructor',
  ];
  const paths = [...wrong, 'create_time', 'version', 'x'.repeat(5_000), ...(camel === first ? [] : [camel])];
  return rule(
    (schema, field) => {
      const maskOf = (...names: string[]): Entries => messageOf(schema, field.type, { paths: names.map(utf8) });
      return [
        bad('missing', 'no mask', 'absent'),
        bad('empty', 'a mask without paths', []),
        ...paths.map((path) => bad('unknown mask path', JSON.stringify(path).slice(0, 40), maskOf(path))),
        ...paths
          .slice(0, 8)
          .map((path) => bad('unknown mask path', `${first} and ${JSON.stringify(path)}`, maskOf(first, path))),
        ...[33, 100, 1_000].map((size) =>
          bad('huge', `${size} paths`, maskOf(...Array.from({ length: size }, () => first))),
        ),
      ];
    },
    { whole: true },
  );
}

/** A time of the years 1 to 9999, within what `alsoRefused` (seconds since 1970) leaves. */
export function timestamp(alsoRefused: readonly bigint[] = [], isRequired = true): Rule {
  const now = BigInt(Math.floor(Date.now() / 1_000));
  return rule(
    (schema, field) => {
      const at = (seconds: bigint, nanos: bigint): Entries =>
        messageOf(schema, field.type, { seconds: [seconds], nanos: [nanos] });
      const seconds = [
        INT64.min,
        -62_135_596_801n,
        -(2n ** 55n),
        253_402_300_800n,
        2n ** 55n,
        INT64.max,
        ...alsoRefused,
      ];
      return [
        ...(isRequired ? [bad('missing', 'no time', 'absent')] : []),
        ...seconds.map((value) => bad('bad timestamp', `${value} s`, at(value, 0n))),
        ...[-1n, INT32.min, 1_000_000_000n, INT32.max].map((nanos) =>
          bad('bad timestamp', `${nanos} ns`, at(now + 86_400n, nanos)),
        ),
      ];
    },
    { whole: true },
  );
}

/** A map: how many entries, what is wrong with a key. Its values' rule goes under `<map>.value`. */
export function map(badKeys: readonly string[], max: number): Rule {
  const entry = (valid: readonly Value[], key: Uint8Array): Value => {
    const [first] = valid;
    if (!Array.isArray(first)) throw new Error('the control leaves the map empty');
    return (first as Entries).map((one) => (one.field.name === 'key' ? { ...one, value: key } : one));
  };
  const keys = badKeys.map((key): BadList => ({
    kind: 'malformed',
    label: `key ${JSON.stringify(key).slice(0, 40)}`,
    at: mapPath('', key),
    make: (valid) => [...valid, entry(valid, utf8(key))],
  }));
  const sizes = [max + 1, max + 2, 4 * max].map((size): BadList => ({
    kind: 'huge',
    label: `${size} entries`,
    make: (valid) => Array.from({ length: size }, (_, index) => entry(valid, utf8(`k${index}`))),
  }));
  return rule(() => [], { lists: [...keys, ...sizes] });
}
