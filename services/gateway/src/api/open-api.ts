import type { DescField, DescMessage } from '@bufbuild/protobuf';
import type { ApiMethod, Catalogue, HttpBinding } from './catalogue';
import { fieldsOf, type JsonObject } from './json-violations';
import { SchemaBook } from './open-api-schemas';
import { bytesPaths, PROBLEM_SCHEMA } from './open-api-parts';
import { isWellKnown } from './well-known';

export type OpenApiDocument = JsonObject;

const API_VERSION = '1.0.0';
const problems = { $ref: '#/components/responses/Problem' };
const jsonContent = (schema: JsonObject): JsonObject => ({ 'application/json': { schema } });

/** The OpenAPI 3.1 document of everything that HTTP_PORT serves, from the descriptors alone. */
export function openApiOf({ members }: Catalogue): OpenApiDocument {
  const book = new SchemaBook();
  const paths: Record<string, Record<string, JsonObject>> = {};
  const add = (path: string, verb: string, operation: JsonObject): void => {
    paths[path] = { ...paths[path], [verb.toLowerCase()]: operation };
  };
  for (const method of members) {
    for (const [index, binding] of method.bindings.entries())
      add(binding.template.openApiPath, binding.verb, operationOf(book, method, binding, index));
  }
  for (const { path, verb, operation } of bytesPaths(book, members)) add(path, verb, operation);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Daya',
      version: API_VERSION,
      description:
        'Rent and offer GPU compute. 64-bit integers and money are strings, times RFC 3339 UTC, errors RFC 9457.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ apiKey: [] }],
    paths,
    components: {
      schemas: { ...book.all(), Problem: PROBLEM_SCHEMA },
      responses: {
        Problem: {
          description: 'Refused',
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key: daya_…' } },
    },
  };
}

function operationOf(book: SchemaBook, method: ApiMethod, binding: HttpBinding, index: number): JsonObject {
  const { descriptor, rule } = method;
  const { input, output, methodKind } = descriptor;
  const content =
    methodKind === 'server_streaming'
      ? { 'text/event-stream': { schema: book.of(output) } }
      : jsonContent(book.of(output));
  const parameters = [
    ...binding.template.variables.map((name) => pathParameter(book, input, name)),
    ...(binding.body ? idempotencyParameter(input) : queryParameters(book, input, binding.template.variables)),
  ];
  return {
    operationId: `${descriptor.parent.name}_${descriptor.name}${index === 0 ? '' : `_${index}`}`,
    summary: wordsOf(descriptor.name),
    tags: [descriptor.parent.name],
    ...(parameters.length > 0 && { parameters }),
    ...(binding.body && { requestBody: { required: true, content: jsonContent(book.of(input)) } }),
    responses: { '200': { description: 'OK', content }, default: problems },
    ...(rule.role !== undefined && { 'x-daya-role': rule.role }),
    ...(rule.scope !== undefined && { 'x-daya-scope': rule.scope }),
    ...(rule.operator && { 'x-daya-operator': true }),
  };
}

/** `SubmitJob` → `Submit job`. */
function wordsOf(name: string): string {
  const [first = '', ...rest] = name.split(/(?=[A-Z])/);
  return [first, ...rest.map((word) => word.toLowerCase())].join(' ');
}

function pathParameter(book: SchemaBook, message: DescMessage, name: string): JsonObject {
  const field = fieldAt(message, name);
  if (field === undefined) throw new Error(`${message.typeName} has no field ${name}`);
  return { name, in: 'path', required: true, schema: book.ofField(field) };
}

function fieldAt(message: DescMessage, name: string): DescField | undefined {
  const [first = '', ...rest] = name.split('.');
  const field = fieldsOf(message).get(first);
  if (rest.length === 0 || field?.message === undefined) return field;
  return fieldAt(field.message, rest.join('.'));
}

function queryParameters(book: SchemaBook, message: DescMessage, taken: readonly string[]): JsonObject[] {
  const simple = message.fields.filter(
    (field) =>
      !taken.includes(field.name) &&
      field.fieldKind !== 'map' &&
      (field.message === undefined || isWellKnown(field.message)),
  );
  return simple.map((field) => ({ name: field.jsonName, in: 'query', required: false, schema: book.ofField(field) }));
}

function idempotencyParameter(message: DescMessage): JsonObject[] {
  if (!fieldsOf(message).has('request_id')) return [];
  const description = 'Becomes requestId where the body has none: repeating a request does nothing twice.';
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description,
      schema: { type: 'string', minLength: 1, maxLength: 64 },
    },
  ];
}
