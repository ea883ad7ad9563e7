import { status } from '@grpc/grpc-js';
import { mapPath } from '@daya/kernel';
import { PAGE_TOKENS } from './bad-values';
import { atLeast32, enumeration, free, shaped, text, uuid, type MutationKind, type Rule } from './rules';
import type { Field, Rpc, Schema } from './schema';
import { readMessage, writeMessage, type Entries, type Entry, type Value } from './wire';

/** One hostile request and what it must be answered with. */
export interface Mutation {
  readonly rpc: string;
  readonly kind: MutationKind;
  /** `<field>: <what is wrong>`. */
  readonly label: string;
  readonly bytes: Uint8Array;
  readonly codes: readonly number[];
  /** Proto paths of which the refusal must name one; more than one for a bad key of a map only (`labels`, `labels["key"]`). */
  readonly fields: readonly string[];
  /** Of a request with many wrong fields: every one of them must be named, at once. */
  readonly every?: readonly string[];
}

/** Field path without indexes (`spec.inputs.path`) → what it must be. */
export type Rules = Readonly<Record<string, Rule>>;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** Above every request's own limit of 256 KiB, below the transport's. */
const TOO_LARGE_BYTES = 264 * 1_024;

/** Of a long list the first ones and the last are changed: the rest are alike. */
const ELEMENTS_MAX = 2;

interface Place {
  readonly path: string;
  readonly pattern: string;
  /** Puts a changed message into the request around it. */
  rebuild(entries: Entries): Uint8Array;
}

/** Every hostile neighbour of one valid request. Throws when a field has no rule: nothing is left out in silence. */
export function mutationsOf(schema: Schema, rpc: Rpc, control: Uint8Array, rules: Rules): Mutation[] {
  return new Generator(schema, rpc, rules).run(control);
}

class Generator {
  private readonly made: Mutation[] = [];
  private readonly used = new Set<string>();

  constructor(
    private readonly schema: Schema,
    private readonly rpc: Rpc,
    private readonly rules: Rules,
  ) {}

  run(control: Uint8Array): Mutation[] {
    const entries = readMessage(this.schema, this.rpc.input, control);
    if (
      !Buffer.from(writeMessage(entries)).equals(
        Buffer.from(writeMessage(readMessage(this.schema, this.rpc.input, writeMessage(entries)))),
      )
    )
      throw new Error(`${this.rpc.path}: the control does not survive being read and written`);
    this.walk(this.rpc.input, entries, { path: '', pattern: '', rebuild: writeMessage });
    this.addEmpty();
    this.addUndecodable(entries);
    const unused = Object.keys(this.rules).filter((pattern) => !this.used.has(pattern));
    if (unused.length > 0) throw new Error(`${this.rpc.path}: rules for no field of the control: ${unused.join(', ')}`);
    return this.made;
  }

  private walk(type: string, entries: readonly Entry[], place: Place): void {
    for (const field of this.schema.fieldsOf(type)) {
      const path = place.path === '' ? field.name : `${place.path}.${field.name}`;
      const pattern = place.pattern === '' ? field.name : `${place.pattern}.${field.name}`;
      const there = entries.filter((entry) => entry.field === field).map(({ value }) => value);
      const put = (values: readonly Value[]): Uint8Array => place.rebuild(replaced(entries, field, values));
      const rule = this.ruleOf(pattern, field, there[0]);
      this.addLists(rule, path, there, put);
      if (field.repeated) this.walkElements(field, rule, { path, pattern, there, put });
      else this.walkSingle(field, rule, { path, pattern, there, put });
    }
  }

  private walkSingle(field: Field, rule: Rule, at: At): void {
    this.addValues(rule, field, at.path, (value) => at.put(value === 'absent' ? [] : [value]));
    const [value] = at.there;
    if (field.kind !== 'message' || rule.whole || !isMessage(value)) return;
    this.walk(field.type, value, { path: at.path, pattern: at.pattern, rebuild: (inner) => at.put([inner]) });
  }

  private walkElements(field: Field, rule: Rule, { path, pattern, there, put }: At): void {
    there.forEach((value, index) => {
      if (index >= ELEMENTS_MAX && index < there.length - 1) return;
      const at = field.map && isMessage(value) ? mapPath(path, keyOf(value)) : `${path}[${index}]`;
      const putOne = (one: Value): Uint8Array => put(there.map((other, i) => (i === index ? one : other)));
      this.addValues(rule, field, at, (bad) => putOne(bad === 'absent' ? emptyOf(field) : bad));
      if (field.kind !== 'message' || rule.whole || !isMessage(value)) return;
      if (field.map) this.walkMapValue(field, value, { at, pattern, putOne });
      else this.walk(field.type, value, { path: at, pattern, rebuild: putOne });
    });
  }

  private walkMapValue(
    field: Field,
    entry: Entries,
    { at, pattern, putOne }: { at: string; pattern: string; putOne(value: Value): Uint8Array },
  ): void {
    const [, value] = this.schema.fieldsOf(field.type);
    if (value === undefined) throw new Error(`${field.type} is no map entry`);
    const rule = this.ruleOf(`${pattern}.value`, value, undefined);
    this.addValues(rule, value, at, (bad) => putOne(replaced(entry, value, bad === 'absent' ? [] : [bad])));
  }

  private addValues(rule: Rule, field: Field, path: string, write: (value: Value | 'absent') => Uint8Array): void {
    for (const { kind, label, value } of rule.values(this.schema, field))
      this.add(kind, path, label, write(value), rule);
  }

  private addLists(
    rule: Rule,
    path: string,
    valid: readonly Value[],
    write: (values: readonly Value[]) => Uint8Array,
  ): void {
    if (rule.lists.length > 0 && valid.length === 0)
      throw new Error(`${this.rpc.path}: the control leaves ${path} empty`);
    for (const { kind, label, at, make } of rule.lists) this.add(kind, path, label, write(make(valid)), rule, at);
  }

  private add(kind: MutationKind, path: string, what: string, bytes: Uint8Array, rule: Rule, at?: string): void {
    const field = rule.names ?? path;
    const named = at === undefined ? [field] : [field, `${field}${at}`];
    const [codes, fields] = rule.codes === undefined ? [[status.INVALID_ARGUMENT], named] : [rule.codes, []];
    this.made.push({ rpc: this.rpc.path, kind, label: `${path}: ${what}`, bytes, codes, fields });
  }

  /** A request that says nothing: whoever checks field by field and stops at the first names too few. */
  private addEmpty(): void {
    const alone = this.made.filter(
      ({ kind, codes }) => (kind === 'missing' || kind === 'empty') && codes[0] === status.INVALID_ARGUMENT,
    );
    const topLevel = this.schema.fieldsOf(this.rpc.input).map(({ name }) => name);
    const every = [...new Set(alone.flatMap(({ fields }) => fields))].filter((field) => topLevel.includes(field));
    if (every.length < 2) return;
    const [codes, bytes] = [[status.INVALID_ARGUMENT], new Uint8Array()];
    this.made.push({
      rpc: this.rpc.path,
      kind: 'empty',
      label: `nothing but ${every.join(', ')} missing`,
      bytes,
      codes,
      fields: [],
      every,
    });
  }

  /** Bytes that are no message at all, and one that is too large: refused before any field is looked at. */
  private addUndecodable(entries: readonly Entry[]): void {
    const push = (kind: MutationKind, label: string, bytes: Uint8Array, code: number): unknown =>
      this.made.push({ rpc: this.rpc.path, kind, label, bytes, codes: [code], fields: [] });
    const whole = writeMessage(entries);
    const last = entries.at(-1);
    if (last !== undefined && whole.length > 0) {
      push('truncated', 'the last byte is missing', whole.subarray(0, whole.length - 1), status.INVALID_ARGUMENT);
    }
    const strings = this.schema.fieldsOf(this.rpc.input).filter(({ kind, repeated }) => kind === 'string' && !repeated);
    for (const field of strings.slice(0, 2)) {
      for (const invalid of INVALID_UTF8.slice(0, strings.length > 1 ? 1 : 2)) {
        const bytes = writeMessage(replaced(entries, field, [Buffer.from(invalid)]));
        push('invalid utf-8', `${field.name}: ${Buffer.from(invalid).toString('hex')}`, bytes, status.INVALID_ARGUMENT);
      }
    }
    const [first] = strings;
    if (first === undefined) return;
    const large = writeMessage(replaced(entries, first, [Buffer.alloc(TOO_LARGE_BYTES, 'x')]));
    push('too large', `${first.name}: ${TOO_LARGE_BYTES} bytes`, large, status.RESOURCE_EXHAUSTED);
  }

  private ruleOf(pattern: string, field: Field, value: Value | undefined): Rule {
    const own = this.rules[pattern];
    if (own !== undefined) {
      this.used.add(pattern);
      return own;
    }
    return defaultRule(field, value) ?? this.missing(pattern);
  }

  private missing(pattern: string): never {
    throw new Error(`${this.rpc.path}: no rule for ${pattern}`);
  }
}

interface At {
  readonly path: string;
  readonly pattern: string;
  readonly there: readonly Value[];
  put(values: readonly Value[]): Uint8Array;
}

const INVALID_UTF8: readonly (readonly number[])[] = [
  [0x61, 0xc3, 0x28],
  [0xff, 0xfe],
];

/** What names and types alone tell. */
function defaultRule(field: Field, value: Value | undefined): Rule | undefined {
  if (field.kind === 'bool') return free('either value is valid');
  if (field.kind === 'message') return optionalMessage(field);
  if (field.repeated) return undefined;
  if (field.name === 'request_id') return text(64);
  if (field.name === 'page_size') return atLeast32(0);
  if (field.name === 'page_token') return shaped(PAGE_TOKENS, { required: false });
  if (field.kind === 'enum') return enumeration();
  if (field.kind === 'string' && value instanceof Uint8Array && UUID.test(Buffer.from(value).toString())) return uuid();
  return undefined;
}

/** A message that may be absent: only its fields are mutated. */
const optionalMessage = (field: Field): Rule | undefined =>
  field.repeated ? undefined : { ...free('its fields have rules of their own'), whole: false };

/** The message with a field's values replaced, where the field was. */
function replaced(entries: readonly Entry[], field: Field, values: readonly Value[]): Entry[] {
  const at = entries.findIndex((entry) => entry.field.number >= field.number);
  const others = entries.filter((entry) => entry.field !== field);
  const before = at === -1 ? others.length : at;
  return [...others.slice(0, before), ...values.map((value) => ({ field, value })), ...others.slice(before)];
}

const isMessage = (value: Value | undefined): value is Entries => Array.isArray(value);

const emptyOf = (field: Field): Value =>
  field.kind === 'message' ? [] : field.kind === 'string' || field.kind === 'bytes' ? new Uint8Array() : 0n;

const keyOf = (entry: Entries): string => {
  const key = entry.find(({ field }) => field.name === 'key')?.value;
  return key instanceof Uint8Array ? Buffer.from(key).toString() : '';
};
