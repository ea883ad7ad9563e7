import { status } from '@grpc/grpc-js';
import { decodeStrict, descriptorImage } from '@daya/proto';
import { PriceQuoteRequest } from '@daya/proto/billing';
import { CreateProjectRequest, UpdateOrganisationRequest } from '@daya/proto/registry';
import { mutationsOf, type Mutation, type Rules } from './mutations';
import { verdict } from './report';
import { free, inner, list, map, mask, optionalText, range, text, uuid } from './rules';
import { Schema } from './schema';
import { readMessage, writeMessage } from './wire';

const schema = new Schema(descriptorImage());
const ID = '0190a5f0-0000-7000-8000-00000000abcd';
const PRICE_QUOTE = '/daya.billing.v1.BillingService/PriceQuote';
const task = { priceMicrosPerGpuHour: 500n, gpuMilli: 1_000, maxRunSeconds: 60, taskCount: 1 };
const REQUEST = PriceQuoteRequest.fromPartial({ requestId: ID, organisationId: ID, tasks: [task, task, task, task] });
const RULES: Rules = {
  tasks: list(inner(), { min: 1, max: 10 }),
  'tasks.price_micros_per_gpu_hour': range(0, 1_000, true),
  'tasks.gpu_milli': range(1, 64_000),
  'tasks.max_run_seconds': range(1, 100),
  'tasks.task_count': range(1, 10),
};

function generate(path: string, bytes: Uint8Array, rules: Rules): Mutation[] {
  const rpc = schema.rpcs.get(path);
  if (rpc === undefined) throw new Error(`no ${path}`);
  return mutationsOf(schema, rpc, bytes, rules);
}

const bytes = PriceQuoteRequest.encode(REQUEST).finish();
const made = generate(PRICE_QUOTE, bytes, RULES);

test('the image tells every RPC with its request and streams', () => {
  expect(schema.rpcs.size).toBeGreaterThanOrEqual(77);
  expect(schema.rpcs.get('/daya.dispatch.v1.AgentService/Connect')).toMatchObject({
    requestStream: true,
    responseStream: true,
  });
});

test('a message that was read and written is the same message', () => {
  const written = writeMessage(readMessage(schema, 'daya.billing.v1.PriceQuoteRequest', bytes));
  expect(decodeStrict(PriceQuoteRequest, written)).toEqual(REQUEST);
});

test('every mutation that decodes differs from the control in the one field that it names', () => {
  const decodable = made.filter(({ fields }) => fields.length > 0);
  expect(decodable.length).toBeGreaterThan(100);
  for (const mutation of decodable) {
    const changed = decodeStrict(PriceQuoteRequest, mutation.bytes);
    const [field = ''] = mutation.fields;
    const differing = (['requestId', 'organisationId', 'tasks'] as const).filter(
      (name) => String(JSON.stringify(changed[name], text64)) !== JSON.stringify(REQUEST[name], text64),
    );
    expect(differing).toEqual([
      field.startsWith('tasks') ? 'tasks' : field === 'request_id' ? 'requestId' : 'organisationId',
    ]);
    if (!/^tasks\[/.test(field)) continue;
    const index = Number(/\d+/.exec(field)?.[0]);
    expect(changed.tasks.filter((one, at) => at !== index)).toEqual(REQUEST.tasks.filter((_, at) => at !== index));
  }
});

const text64 = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

test('of a long list the first two elements and the last are changed', () => {
  const touched = new Set(made.flatMap(({ fields }) => /^tasks\[(\d)\]/.exec(fields[0] ?? '')?.[1] ?? []));
  expect([...touched].sort()).toEqual(['0', '1', '3']);
});

test('negative prices are marked as negative money, other numbers as out of range', () => {
  const kinds = (field: string): Set<string> =>
    new Set(made.filter(({ fields }) => fields[0] === field).map(({ kind }) => kind));
  expect(kinds('tasks[0].price_micros_per_gpu_hour')).toEqual(new Set(['negative money', 'out of range']));
  expect(kinds('tasks[0].gpu_milli')).toEqual(new Set(['missing', 'out of range']));
});

test('bytes that are no message name no field, and are few', () => {
  const broken = made.filter(({ fields, every }) => fields.length === 0 && every === undefined);
  expect(new Set(broken.map(({ kind }) => kind))).toEqual(new Set(['truncated', 'invalid utf-8', 'too large']));
  for (const { kind, bytes: sent, codes } of broken) {
    expect(codes).toEqual([kind === 'too large' ? status.RESOURCE_EXHAUSTED : status.INVALID_ARGUMENT]);
    if (kind !== 'too large') expect(() => decodeStrict(PriceQuoteRequest, sent)).toThrow();
  }
});

test('a field without a rule and a rule without a field are refused', () => {
  const { tasks: _, ...without } = RULES;
  expect(() => generate(PRICE_QUOTE, bytes, without)).toThrow('no rule for tasks');
  expect(() => generate(PRICE_QUOTE, bytes, { ...RULES, nope: uuid() })).toThrow(
    'rules for no field of the control: nope',
  );
});

test('a map’s values are named by their key, its bad keys by the map or the key', () => {
  const request = CreateProjectRequest.fromPartial({
    requestId: ID,
    displayName: 'x',
    teamId: ID,
    labels: { cost: 'low' },
  });
  const rules = { display_name: text(100), labels: map(['A'], 32), 'labels.value': optionalText(128) };
  const labels = generate(
    '/daya.registry.v1.OrganisationService/CreateProject',
    CreateProjectRequest.encode(request).finish(),
    rules,
  );
  const named = labels.map(({ fields }) => fields.join(' or ')).filter((field) => field.startsWith('labels'));
  expect(new Set(named)).toEqual(new Set(['labels', 'labels or labels["A"]', 'labels["cost"]']));
});

test('unknown mask paths arrive as they were written', () => {
  const request = UpdateOrganisationRequest.fromPartial({
    requestId: ID,
    organisation: { organisationId: ID, displayName: 'x' },
    updateMask: ['display_name'],
  });
  const output = free('the server’s own');
  const rules = {
    'organisation.display_name': text(100),
    'organisation.kind': output,
    'organisation.create_time': output,
    'organisation.version': output,
    update_mask: mask(['display_name']),
  };
  const masks = generate(
    '/daya.registry.v1.OrganisationService/UpdateOrganisation',
    UpdateOrganisationRequest.encode(request).finish(),
    rules,
  )
    .filter(({ kind }) => kind === 'unknown mask path')
    .map((mutation) => decodeStrict(UpdateOrganisationRequest, mutation.bytes).updateMask);
  expect(masks).toContainEqual(['displayName']);
  expect(masks).toContainEqual(['display_name', '*']);
});

test('a request that says nothing must be told of every field that it needs', () => {
  const [empty, ...others] = made.filter(({ every }) => every !== undefined);
  expect(others).toEqual([]);
  expect(empty).toMatchObject({ every: ['request_id', 'organisation_id', 'tasks'], codes: [status.INVALID_ARGUMENT] });
  expect(decodeStrict(PriceQuoteRequest, empty?.bytes ?? bytes)).toEqual(PriceQuoteRequest.fromPartial({}));
  const verdictOf = (fields: readonly string[]): string | undefined =>
    empty && verdict({ mutation: empty, answer: { code: status.INVALID_ARGUMENT, reason: '', message: '', fields } });
  expect(verdictOf(['tasks', 'organisation_id', 'request_id'])).toBeUndefined();
  expect(verdictOf(['tasks', 'organisation_id'])).toContain('not without request_id');
});
