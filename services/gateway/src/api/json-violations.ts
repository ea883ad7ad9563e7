import { ScalarType, type DescEnum, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { mapPath, type FieldReason, type FoundViolation } from '@daya/kernel';
import { JSON_DEPTH_MAX, VIOLATIONS_MAX } from '../limits';
import { isWellKnown, wellKnownViolation } from './well-known';
import { scalarViolation } from './scalar-violations';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export const isObject = (json: Json | undefined): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

/**
 * Everything about a JSON object that is not a message of this type, all at once: unknown fields, wrong types, values out
 * of range. Fields are named as proto paths (`spec.inputs[2].path`), unknown ones as the caller wrote them.
 */
export function jsonViolations(message: DescMessage, json: JsonObject): FoundViolation[] {
  const check = new JsonCheck();
  check.message(message, json, '', 0);
  return check.violations.slice(0, VIOLATIONS_MAX);
}

const named = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

class JsonCheck {
  readonly violations: FoundViolation[] = [];

  message(message: DescMessage, json: JsonObject, path: string, depth: number): void {
    if (depth > JSON_DEPTH_MAX) return this.add(path, 'TOO_DEEP', `nests deeper than ${JSON_DEPTH_MAX}`);
    const fields = fieldsOf(message);
    const seen = new Set<string>();
    for (const key of Object.keys(json)) {
      if (this.violations.length >= VIOLATIONS_MAX) return;
      const field = fields.get(key);
      if (field === undefined) {
        this.add(named(path, key.slice(0, 100)), 'UNKNOWN_FIELD', `${message.name} has no such field`);
        continue;
      }
      const value = json[key] ?? null;
      const fieldPath = named(path, field.name);
      if (seen.has(field.name)) this.add(fieldPath, 'DUPLICATE', 'is given twice');
      seen.add(field.name);
      if (value === null) continue;
      if (field.oneof !== undefined && seen.has(`oneof ${field.oneof.name}`))
        this.add(fieldPath, 'CONFLICT', `only one field of ${field.oneof.name} may be set`);
      if (field.oneof !== undefined) seen.add(`oneof ${field.oneof.name}`);
      this.field(field, value, fieldPath, depth);
    }
  }

  private field(field: DescField, value: Json, path: string, depth: number): void {
    if (field.fieldKind === 'list') {
      if (!Array.isArray(value)) return this.add(path, 'WRONG_TYPE', 'must be an array');
      value.forEach((item: Json, index) => this.value(field, item, `${path}[${index}]`, depth));
    } else if (field.fieldKind === 'map') {
      if (!isObject(value)) return this.add(path, 'WRONG_TYPE', 'must be an object');
      for (const [key, item] of Object.entries(value)) {
        const wrongKey = scalarViolation(field.mapKey, field.mapKey === ScalarType.BOOL ? key === 'true' : key);
        if (wrongKey !== undefined) this.add(path, 'MALFORMED', `a key ${wrongKey.description}`);
        this.value(field, item, mapPath(path, key), depth);
      }
    } else this.value(field, value, path, depth);
  }

  private value({ message, enum: enumeration, scalar }: DescField, value: Json, path: string, depth: number): void {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    if (message !== undefined && isWellKnown(message)) this.addIf(path, wellKnownViolation(message, value));
    else if (message !== undefined && isObject(value)) this.message(message, value, path, depth + 1);
    else if (message !== undefined) this.add(path, 'WRONG_TYPE', 'must be an object');
    else if (enumeration !== undefined) this.addIf(path, enumViolation(enumeration, value));
    else if (scalar !== undefined) this.addIf(path, scalarViolation(scalar, value));
  }

  private addIf(path: string, violation: Omit<FoundViolation, 'field'> | undefined): void {
    if (violation !== undefined) this.add(path, violation.reason, violation.description);
  }

  private add(field: string, reason: FieldReason, description: string): void {
    this.violations.push({ field, reason, description });
  }
}

const fieldMaps = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** JSON name and proto name → field. */
export function fieldsOf(message: DescMessage): ReadonlyMap<string, DescField> {
  let fields = fieldMaps.get(message);
  if (fields === undefined) {
    fields = new Map(
      message.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]),
    );
    fieldMaps.set(message, fields);
  }
  return fields;
}

function enumViolation(enumeration: DescEnum, value: Json): Omit<FoundViolation, 'field'> | undefined {
  const known = enumeration.values.some(({ name, number }) => value === name || value === number);
  if (known) return undefined;
  const names = enumeration.values.map(({ name }) => name).join(', ');
  return { reason: 'UNKNOWN_VALUE', description: `must be one of ${names}` };
}
