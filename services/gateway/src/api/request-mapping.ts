import { fromJson, ScalarType, toBinary, type DescField, type DescMessage, type JsonValue } from '@bufbuild/protobuf';
import { refuseInvalid, type FieldReason, type FoundViolation } from '@daya/kernel';
import { fieldsOf, isObject, jsonViolations, type Json, type JsonObject } from './json-violations';
import { isWellKnown } from './well-known';

/** What an HTTP request says, before it is a message. */
export interface RequestParts {
  readonly variables: ReadonlyMap<string, string>;
  readonly query: URLSearchParams;
  /** Undefined: the method takes none. */
  readonly body: JsonObject | undefined;
  /** Idempotency-Key; becomes `request_id` where the body has none. */
  readonly idempotencyKey: string | undefined;
}

/**
 * The request as bytes, from path, query, body and headers. Throws `invalid` INVALID_FIELDS with every violation that can
 * be told from the descriptor; whether the values make sense is the owning service's word.
 */
export function toRequestBytes(message: DescMessage, parts: RequestParts): Uint8Array {
  return toBinary(message, fromJson(message, toRequestJson(message, parts) as JsonValue));
}

export function toRequestJson(message: DescMessage, parts: RequestParts): JsonObject {
  const merge = new Merge(message, parts.body ?? {});
  for (const [name, value] of parts.variables) merge.variable(name, value);
  for (const name of new Set(parts.query.keys())) {
    if (parts.body === undefined) merge.parameter(name, parts.query.getAll(name));
    else merge.refuse(name, 'UNKNOWN_FIELD', 'this method takes a JSON body and no query');
  }
  if (parts.idempotencyKey !== undefined) merge.requestId(parts.idempotencyKey);
  refuseInvalid([...merge.violations, ...jsonViolations(message, merge.json)]);
  return merge.json;
}

type Mutable = { [key: string]: Json };
const copyOf = (json: JsonObject): Mutable => Object.assign(Object.create(null) as Mutable, json);

class Merge {
  readonly violations: FoundViolation[] = [];
  readonly json: Mutable;

  constructor(
    private readonly message: DescMessage,
    body: JsonObject,
  ) {
    this.json = copyOf(body);
  }

  /** A path variable is part of what is asked for: the body may repeat it, not contradict it. */
  variable(name: string, text: string): void {
    const place = this.placeOf(name);
    if (place === undefined) throw new Error(`${this.message.typeName} has no field ${name}`);
    const value = valueOf(place.field, text);
    for (const key of [place.field.name, place.field.jsonName]) {
      const given = place.parent[key];
      const agrees =
        typeof given === 'object' ? given === null : given === undefined || given === '' || `${given}` === text;
      if (!agrees) this.refuse(name, 'CONFLICT', 'differs from the path');
      delete place.parent[key];
    }
    place.parent[place.field.jsonName] = value;
  }

  parameter(name: string, texts: readonly string[]): void {
    const place = this.placeOf(name);
    if (place === undefined) return this.refuse(name, 'UNKNOWN_FIELD', 'there is no such parameter');
    const { field, parent } = place;
    const takesText = field.fieldKind !== 'map' && (field.message === undefined || isWellKnown(field.message));
    if (!takesText) return this.refuse(name, 'UNKNOWN_FIELD', 'cannot be given in the query');
    if (parent[field.jsonName] !== undefined) return this.refuse(name, 'DUPLICATE', 'is given twice');
    const values = texts.map((text) => valueOf(field, text));
    if (field.fieldKind === 'list') parent[field.jsonName] = values;
    else if (values.length > 1) this.refuse(name, 'DUPLICATE', 'is given twice');
    else parent[field.jsonName] = values[0] ?? '';
  }

  requestId(key: string): void {
    const field = fieldsOf(this.message).get('request_id');
    if (field === undefined) return;
    const given = this.json[field.name] ?? this.json[field.jsonName];
    if (given === undefined || given === null || given === '') {
      delete this.json[field.name];
      this.json[field.jsonName] = key;
    }
  }

  refuse(field: string, reason: FieldReason, description: string): void {
    this.violations.push({ field: field.slice(0, 100), reason, description });
  }

  /** `a.b.c` → the field c and the object that holds it, made on the way where it is missing. */
  private placeOf(name: string): { field: DescField; parent: Mutable } | undefined {
    let message: DescMessage | undefined = this.message;
    let parent = this.json;
    const steps = name.split('.');
    for (const [index, step] of steps.entries()) {
      const field: DescField | undefined = message === undefined ? undefined : fieldsOf(message).get(step);
      if (field === undefined) return undefined;
      if (index === steps.length - 1) return { field, parent };
      if (field.fieldKind !== 'message' || isWellKnown(field.message)) return undefined;
      parent = childOf(parent, field);
      message = field.message;
    }
    return undefined;
  }
}

/** What is there and no object stays for the type check to refuse; the path's value then has nowhere to go. */
function childOf(parent: Mutable, field: DescField): Mutable {
  const key = parent[field.name] === undefined ? field.jsonName : field.name;
  const given = parent[key];
  if (given !== undefined && given !== null && !isObject(given)) return Object.create(null) as Mutable;
  const child = copyOf(isObject(given) ? given : {});
  parent[key] = child;
  return child;
}

/** A text of path or query as JSON has it; what does not fit stays text, for the type check to refuse. */
function valueOf(field: DescField, text: string): Json {
  if (field.enum !== undefined && /^\d{1,9}$/.test(text)) return Number(text);
  if (field.scalar === ScalarType.BOOL && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
