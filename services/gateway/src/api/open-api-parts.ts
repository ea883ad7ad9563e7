import type { ApiMethod } from './catalogue';
import type { JsonObject } from './json-violations';
import type { SchemaBook } from './open-api-schemas';

const text = { type: 'string' };
const texts = { type: 'object', additionalProperties: text };

/** RFC 9457 with what every Daya error has besides. */
export const PROBLEM_SCHEMA: JsonObject = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'reason', 'domain', 'violations', 'metadata', 'traceId'],
  properties: {
    type: { type: 'string', format: 'uri' },
    title: text,
    status: { type: 'integer' },
    detail: text,
    reason: { type: 'string', description: 'UPPER_SNAKE and stable: what programs decide by.' },
    domain: text,
    violations: {
      type: 'array',
      items: {
        type: 'object',
        required: ['field', 'description', 'reason'],
        properties: { field: text, description: text, reason: text },
      },
    },
    metadata: texts,
    traceId: text,
  },
};

interface BytesPath {
  readonly path: string;
  readonly verb: string;
  readonly operation: JsonObject;
}

const problems = { $ref: '#/components/responses/Problem' };
const pathParameter = (name: string, schema: JsonObject, description: string): JsonObject => ({
  name,
  in: 'path',
  required: true,
  description,
  schema,
});
const TASK = [
  pathParameter('job_id', text, 'The job'),
  pathParameter('task_index', { type: 'integer', minimum: 0 }, "The task; the final task's index is the task count"),
];
const BYTES = { 'application/octet-stream': { schema: {} } };

/** The routes that are no RPC's HTTP binding: blobs, artifacts and live logs. */
export function bytesPaths(book: SchemaBook, methods: readonly ApiMethod[]): BytesPath[] {
  const reply = (name: string): JsonObject => {
    const method = methods.find(({ descriptor }) => descriptor.name === name);
    if (method === undefined) throw new Error(`the descriptors lack ${name}`);
    return book.of(method.descriptor.output);
  };
  return [upload(reply('UploadBlob')), download(), log(reply('FollowLog'))];
}

const upload = (schema: JsonObject): BytesPath => ({
  path: '/v1/blobs/{sha256}',
  verb: 'PUT',
  operation: {
    operationId: 'uploadBlob',
    summary: 'Upload an input or a part of an image',
    tags: ['Blobs'],
    parameters: [
      pathParameter('sha256', { type: 'string', pattern: '^[0-9a-f]{64}$' }, 'Of the whole body, in hexadecimal'),
    ],
    requestBody: { required: true, content: BYTES },
    responses: { '200': { description: 'Stored', content: { 'application/json': { schema } } }, default: problems },
    'x-daya-role': 'member',
    'x-daya-scope': 'jobs:write',
  },
});

const download = (): BytesPath => ({
  path: '/v1/jobs/{job_id}/tasks/{task_index}/artifacts/{path}',
  verb: 'GET',
  operation: {
    operationId: 'downloadArtifact',
    summary: 'Download an artifact of a task',
    tags: ['Blobs'],
    parameters: [...TASK, pathParameter('path', text, 'As the task wrote it; may hold slashes')],
    responses: {
      '200': { description: 'The bytes; ETag is their SHA-256', content: BYTES },
      '206': { description: 'The bytes from where Range: bytes=<n>- starts', content: BYTES },
      '304': { description: 'If-None-Match names these very bytes' },
      default: problems,
    },
    'x-daya-role': 'viewer',
    'x-daya-scope': 'jobs:read',
  },
});

const log = (schema: JsonObject): BytesPath => ({
  path: '/v1/jobs/{job_id}/tasks/{task_index}/log',
  verb: 'GET',
  operation: {
    operationId: 'followLog',
    summary: "Follow a task's log; Last-Event-ID resumes",
    tags: ['Blobs'],
    parameters: [
      ...TASK,
      { name: 'runNumber', in: 'query', required: false, schema: { type: 'integer', minimum: 0 } },
      { name: 'offsetBytes', in: 'query', required: false, schema: { type: 'string', pattern: '^[0-9]+$' } },
      { name: 'Last-Event-ID', in: 'header', required: false, schema: text },
    ],
    responses: { '200': { description: 'Events', content: { 'text/event-stream': { schema } } }, default: problems },
    'x-daya-role': 'viewer',
    'x-daya-scope': 'jobs:read',
  },
});
