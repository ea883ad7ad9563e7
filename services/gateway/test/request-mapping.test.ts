import {
  create,
  equals,
  fromBinary,
  ScalarType,
  toBinary,
  toJson,
  type DescField,
  type DescMessage,
  type Message,
} from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { AUTHZ, descriptorImage } from '@daya/proto';
import { loadCatalogue } from '../src/api/catalogue';
import { jsonViolations, type Json, type JsonObject } from '../src/api/json-violations';
import { toReplyJson } from '../src/api/reply-mapping';
import { toRequestBytes } from '../src/api/request-mapping';

const { members } = loadCatalogue(descriptorImage(), AUTHZ);
const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

function scalarArbitrary(scalar: ScalarType): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 9 });
    case ScalarType.INT64:
      return int64;
    case ScalarType.INT32:
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    default:
      throw new Error(`the public protos have no scalar ${ScalarType[scalar]} yet: add it here`);
  }
}

function valueArbitrary({ message, enum: enumeration, scalar }: DescField): fc.Arbitrary<unknown> {
  if (enumeration !== undefined) return fc.constantFrom(...enumeration.values.map(({ number }) => number));
  if (message === undefined) return scalarArbitrary(scalar ?? ScalarType.STRING);
  if (message.typeName === 'google.protobuf.Timestamp')
    return fc
      .record({ seconds: fc.bigInt({ min: 0n, max: 4_102_444_800n }), nanos: fc.integer({ min: 0, max: 999_999_999 }) })
      .map((parts) => create(message, parts as never));
  if (message.typeName === 'google.protobuf.FieldMask')
    return fc
      .array(fc.stringMatching(/^[a-z]{1,5}(_[a-z]{1,5})?$/), { maxLength: 3 })
      .map((paths) => create(message, { paths } as never));
  return messageArbitrary(message);
}

function messageArbitrary(message: DescMessage): fc.Arbitrary<Message> {
  const fields = message.fields.map((field): [string, fc.Arbitrary<unknown>] => {
    const value = fc.memo(() => valueArbitrary(field))();
    if (field.fieldKind === 'list') return [field.localName, fc.array(value, { maxLength: 2 })];
    if (field.fieldKind === 'map')
      return [field.localName, fc.dictionary(text, value, { maxKeys: 2, noNullPrototype: true })];
    return [field.localName, value];
  });
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] }).map((init) => create(message, init as never));
}

const NOTHING = { variables: new Map<string, string>(), query: new URLSearchParams(), idempotencyKey: undefined };

test.each(members.map((method) => [method.path, method] as const))(
  '%s: JSON of a random request and reply is the message again',
  (_path, { descriptor }) => {
    fc.assert(
      fc.property(messageArbitrary(descriptor.input), messageArbitrary(descriptor.output), (request, reply) => {
        const json = toJson(descriptor.input, request) as JsonObject;
        const bytes = toRequestBytes(descriptor.input, { ...NOTHING, body: json });
        expect(equals(descriptor.input, fromBinary(descriptor.input, bytes), request)).toBe(true);
        const shown = toReplyJson(descriptor.output, toBinary(descriptor.output, reply)) as JsonObject;
        expect(jsonViolations(descriptor.output, shown)).toEqual([]);
        const again = toRequestBytes(descriptor.output, { ...NOTHING, body: shown });
        expect(equals(descriptor.output, fromBinary(descriptor.output, again), reply)).toBe(true);
      }),
      { numRuns: 25 },
    );
  },
);

const queried = members.flatMap((method) =>
  method.bindings.filter(({ body }) => !body).map((binding) => [method.path, method, binding] as const),
);
test.each(queried)('%s: path and query say the same as a body', (_path, { descriptor }, { template }) => {
  fc.assert(
    fc.property(messageArbitrary(descriptor.input), fc.boolean(), (request, snake) => {
      const json = toJson(descriptor.input, request, {
        useProtoFieldName: snake,
        alwaysEmitImplicit: true,
      }) as JsonObject;
      const names = new Map(
        template.variables.map((name) => [name, descriptor.input.fields.find((field) => field.name === name)!]),
      );
      const variables = new Map<string, string>();
      const query = new URLSearchParams();
      for (const [key, value] of Object.entries(json)) {
        const variable = [...names].find(([name, field]) => key === name || key === field.jsonName)?.[0];
        if (variable !== undefined) variables.set(variable, String(value));
        else for (const one of Array.isArray(value) ? (value as Json[]) : [value]) query.append(key, String(one));
      }
      const bytes = toRequestBytes(descriptor.input, { variables, query, body: undefined, idempotencyKey: undefined });
      expect(equals(descriptor.input, fromBinary(descriptor.input, bytes), request)).toBe(true);
    }),
    { numRuns: 25 },
  );
});

test('any JSON is either refused with named fields or encodes', () => {
  const submit = members.find(({ descriptor }) => descriptor.name === 'SubmitJob')!.descriptor.input;
  const keys = fc.constantFrom(
    'spec',
    'requestId',
    'image',
    'taskCount',
    'requirements',
    'inputs',
    'command',
    'env',
    '__proto__',
    'constructor',
    'x',
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.jsonValue({ maxDepth: 1 }),
      fc.dictionary(keys, tie('tree'), { maxKeys: 4 }),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(keys, tree, { maxKeys: 5 }), (value) => {
      const body = JSON.parse(JSON.stringify(value)) as JsonObject;
      const refused = jsonViolations(submit, body);
      if (refused.length > 0)
        expect(refused.every(({ field, reason }) => field !== '' && /^[A-Z_]+$/.test(reason))).toBe(true);
      else expect(toRequestBytes(submit, { ...NOTHING, body }).length).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 500 },
  );
});
