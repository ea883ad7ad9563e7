import { ScalarType, type DescEnum, type DescField, type DescMessage } from '@bufbuild/protobuf';
import type { JsonObject } from './json-violations';
import { exampleOf, isWellKnown } from './well-known';

const INT64 = { type: 'string', format: 'int64', pattern: '^-?[0-9]+$' };
const INT32 = { type: 'integer', format: 'int32' };

const SCALARS: Readonly<Record<ScalarType, JsonObject>> = {
  [ScalarType.DOUBLE]: { type: 'number', format: 'double' },
  [ScalarType.FLOAT]: { type: 'number', format: 'float' },
  [ScalarType.INT64]: INT64,
  [ScalarType.SINT64]: INT64,
  [ScalarType.SFIXED64]: INT64,
  [ScalarType.UINT64]: { ...INT64, format: 'uint64', pattern: '^[0-9]+$' },
  [ScalarType.FIXED64]: { ...INT64, format: 'uint64', pattern: '^[0-9]+$' },
  [ScalarType.INT32]: INT32,
  [ScalarType.SINT32]: INT32,
  [ScalarType.SFIXED32]: INT32,
  [ScalarType.UINT32]: { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 },
  [ScalarType.FIXED32]: { type: 'integer', minimum: 0, maximum: 2 ** 32 - 1 },
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BYTES]: { type: 'string', contentEncoding: 'base64' },
};

const FORMATS: Readonly<Record<string, string>> = { 'google.protobuf.Timestamp': 'date-time' };

export const refTo = (message: DescMessage): JsonObject => ({ $ref: `#/components/schemas/${message.typeName}` });

/** Collects the schema of every message that is asked for, and of those that it holds. */
export class SchemaBook {
  private readonly schemas = new Map<string, JsonObject>();

  /** A reference to the message's schema, which is in the book from now on. */
  of(message: DescMessage): JsonObject {
    if (!this.schemas.has(message.typeName)) {
      this.schemas.set(message.typeName, {});
      const properties = message.fields.map((field) => [field.jsonName, this.ofField(field)] as const);
      this.schemas.set(message.typeName, {
        type: 'object',
        properties: Object.fromEntries(properties),
        additionalProperties: false,
      });
    }
    return refTo(message);
  }

  ofField(field: DescField): JsonObject {
    if (field.fieldKind === 'list') return { type: 'array', items: this.ofValue(field) };
    if (field.fieldKind === 'map') return { type: 'object', additionalProperties: this.ofValue(field) };
    return this.ofValue(field);
  }

  all(): JsonObject {
    return Object.fromEntries([...this.schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  private ofValue({ message, enum: enumeration, scalar }: DescField): JsonObject {
    if (message !== undefined) return isWellKnown(message) ? wellKnownSchema(message) : this.of(message);
    return enumeration === undefined ? SCALARS[scalar ?? ScalarType.STRING] : this.ofEnum(enumeration);
  }

  private ofEnum({ typeName, values }: DescEnum): JsonObject {
    this.schemas.set(typeName, { type: 'string', enum: values.map(({ name }) => name) });
    return { $ref: `#/components/schemas/${typeName}` };
  }
}

function wellKnownSchema(message: DescMessage): JsonObject {
  const format = FORMATS[message.typeName];
  return { type: 'string', ...(format !== undefined && { format }), examples: [exampleOf(message)] };
}
