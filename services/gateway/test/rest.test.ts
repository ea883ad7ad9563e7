import { DomainError } from '@daya/kernel';
import { metrics } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import { BillingServiceService } from '@daya/proto/billing';
import {
  CreateProjectResponse,
  OrganisationServiceService,
  ProviderServiceService,
  UpdateOrganisationResponse,
} from '@daya/proto/registry';
import {
  GetJobResponse,
  JobState,
  ListJobsResponse,
  RunState,
  SchedulerServiceService,
  SubmitJobResponse,
  type SubmitJobRequest,
} from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { aKey, ALICE, OPERATOR, World } from './support/world';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

const lastOf = <T>(path: string): T => world.peers.seen.filter((call) => call.path === path).at(-1)?.request as T;

test('a body becomes the request, the reply canonical JSON, the key the caller', async () => {
  world.peers.handle(SchedulerServiceService.submitJob, async ({ projectId }) =>
    SubmitJobResponse.fromPartial({
      job: {
        jobId: 'job-1',
        projectId,
        state: JobState.QUEUED,
        quoteMicros: 9_007_199_254_740_993n,
        createTime: toTimestamp(new Date('2026-01-02T03:04:05.678Z')),
      },
    }),
  );
  const response = await world.post('/v1/jobs', {
    requestId: 'r-1',
    project_id: 'project-1',
    spec: {
      image: { digest: 'sha256:00' },
      command: ['a', 'ü'],
      env: { A: '1', constructor: 'x' },
      taskCount: 3,
      requirements: { maxPriceMicrosPerGpuHour: '9007199254740993', gpuModelIds: ['rtx-4090'] },
      network: 'NETWORK_POLICY_INTERNET',
      finalTask: null,
    },
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(await response.json()).toMatchObject({
    job: {
      jobId: 'job-1',
      projectId: 'project-1',
      state: 'JOB_STATE_QUEUED',
      quoteMicros: '9007199254740993',
      createTime: '2026-01-02T03:04:05.678Z',
      tasks: [],
    },
  });
  const request = lastOf<SubmitJobRequest>(SchedulerServiceService.submitJob.path);
  expect(request).toMatchObject({ requestId: 'r-1', projectId: 'project-1' });
  expect(request.spec).toMatchObject({
    command: ['a', 'ü'],
    taskCount: 3,
    finalTask: undefined,
    requirements: { maxPriceMicrosPerGpuHour: 9_007_199_254_740_993n },
  });
  expect(Object.entries(request.spec?.env ?? {})).toEqual([
    ['A', '1'],
    ['constructor', 'x'],
  ]);
  const { caller } = world.peers.seen.at(-1)!.context;
  expect(caller).toMatchObject({
    kind: 'member',
    organisationId: 'org-alice',
    role: 'owner',
    operator: false,
    keyId: 'key-of-org-alice',
  });
});

test('path variables, nested ones and verbs', async () => {
  world.peers.handle(SchedulerServiceService.getJob, async ({ jobId }) =>
    GetJobResponse.fromPartial({ job: { jobId } }),
  );
  expect(await (await world.fetch('/v1/jobs/a%2Fb%20c')).json()).toMatchObject({ job: { jobId: 'a/b c' } });
  world.peers.handle(OrganisationServiceService.updateOrganisation, async ({ organisation }) =>
    UpdateOrganisationResponse.fromPartial({ organisation: organisation ?? {} }),
  );
  const body = { requestId: 'r', organisation: { displayName: 'New' }, updateMask: 'displayName' };
  const response = await world.fetch('/v1/organisations/org-7', {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(await response.json()).toMatchObject({ organisation: { organisationId: 'org-7', displayName: 'New' } });
  expect(lastOf<{ updateMask: unknown }>(OrganisationServiceService.updateOrganisation.path).updateMask).toEqual([
    'display_name',
  ]);
  world.peers.handle(ProviderServiceService.revokeNode, async () => ({ node: undefined }));
  expect((await world.post('/v1/nodes/n-1:revoke', { requestId: 'r', reason: 'stolen' })).status).toBe(200);
  expect(lastOf(ProviderServiceService.revokeNode.path)).toMatchObject({ nodeId: 'n-1', reason: 'stolen' });
  const conflict = await world.problem(world.post('/v1/nodes/n-1:revoke', { requestId: 'r', nodeId: 'n-2' }));
  expect(conflict.violations).toMatchObject([{ field: 'node_id', reason: 'CONFLICT' }]);
});

test('query parameters in both spellings, enums by name, empty texts', async () => {
  world.peers.handle(SchedulerServiceService.listJobs, async () =>
    ListJobsResponse.fromPartial({ nextPageToken: 'next' }),
  );
  for (const query of [
    'pageSize=7&pageToken=&projectId=p&state=JOB_STATE_RUNNING',
    'page_size=7&page_token=&project_id=p&state=JOB_STATE_RUNNING',
  ]) {
    expect(await (await world.fetch(`/v1/jobs?${query}`)).json()).toEqual({ jobs: [], nextPageToken: 'next' });
    expect(lastOf(SchedulerServiceService.listJobs.path)).toEqual({
      pageSize: 7,
      pageToken: '',
      projectId: 'p',
      state: JobState.RUNNING,
    });
  }
});

test('Idempotency-Key is the request_id of a body that has none', async () => {
  world.peers.handle(OrganisationServiceService.createProject, async () => CreateProjectResponse.fromPartial({}));
  const path = OrganisationServiceService.createProject.path;
  await world.post('/v1/projects', { displayName: 'p' }, { 'idempotency-key': 'key-1' });
  expect(lastOf(path)).toMatchObject({ requestId: 'key-1' });
  await world.post('/v1/projects', { displayName: 'p', requestId: 'own' }, { 'idempotency-key': 'key-1' });
  expect(lastOf(path)).toMatchObject({ requestId: 'own' });
});

test('a peer’s refusal arrives with reason, metadata and all violations', async () => {
  const violations = [
    { field: 'spec.image.digest', reason: 'REQUIRED', description: 'must be set' },
    { field: 'spec.inputs[2].path', reason: 'TOO_LONG', description: 'must have at most 512 characters' },
  ];
  world.peers.handle(SchedulerServiceService.explainJob, async () => {
    throw new DomainError('invalid', 'INVALID_FIELDS', 'invalid fields', { count: '2' }, violations);
  });
  const problem = await world.problem(world.post('/v1/jobs:explain', { jobId: 'j' }));
  expect(problem).toMatchObject({
    type: 'urn:daya:problem:INVALID_FIELDS',
    title: 'Bad Request',
    status: 400,
    detail: 'invalid fields',
    reason: 'INVALID_FIELDS',
    domain: 'daya',
    metadata: { count: '2' },
    violations,
  });
  expect(problem.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
});

test.each([
  ['invalid', 400],
  ['unauthenticated', 500],
  ['denied', 403],
  ['not-found', 404],
  ['already-exists', 409],
  ['aborted', 409],
  ['precondition', 400],
  ['exhausted', 429],
  ['unavailable', 503],
] as const)('a refusal of kind %s is %i', async (kind, code) => {
  world.peers.handle(BillingServiceService.getInvoice, async () => {
    throw new DomainError(kind, 'SOME_REASON', 'said so');
  });
  const problem = await world.problem(world.fetch('/v1/invoices/i'));
  expect(problem.status).toBe(code);
  expect(problem.reason).toBe(code === 500 ? 'INTERNAL' : 'SOME_REASON');
});

test('what breaks inside says nothing of the inside', async () => {
  world.peers.handle(BillingServiceService.getInvoice, async () => {
    throw new Error('connect ECONNREFUSED 10.0.0.1:5432 password=hunter2');
  });
  expect(await world.problem(world.fetch('/v1/invoices/i'))).toMatchObject({
    status: 500,
    reason: 'INTERNAL',
    detail: 'internal error',
    metadata: {},
  });
  const port = world.peers.services.rewards!.ports['grpc']!;
  await world.peers.services.rewards!.stop();
  const down = await world.fetch('/v1/epochs/1');
  expect(down.headers.get('retry-after')).toBe('1');
  const text = await down.text();
  expect(JSON.parse(text)).toMatchObject({ status: 503, reason: 'UNAVAILABLE' });
  expect(text).not.toMatch(/127\.0\.0\.1|ECONN/);
  await world.peers.startOne('rewards', port);
});

test('role, scope and operator rules are the services’ own, and told as they are', async () => {
  const viewer = aKey('viewer');
  world.keys.set(viewer, { organisationId: 'org-v', role: 'viewer', scopes: [] });
  expect(await world.problem(world.fetch('/v1/jobs/j', { key: viewer }))).toMatchObject({
    status: 403,
    reason: 'SCOPE_MISSING',
  });
  const counted = await eventually(async () => {
    const text = await metrics.metrics();
    expect(text).toContain('daya_gateway_refusals_total{reason="SCOPE_MISSING"} 1');
    return text;
  });
  expect(counted).toContain(
    'daya_gateway_http_duration_seconds_count{verb="GET",route="/v1/jobs/{job_id}",status="403"} 1',
  );
  expect(await world.problem(world.post('/v1/organisations', { requestId: 'r' }))).toMatchObject({
    status: 403,
    reason: 'OPERATOR_ONLY',
  });
  world.peers.handle(OrganisationServiceService.createOrganisation, async () => ({
    organisation: undefined,
    defaultProject: undefined,
    ownerKey: undefined,
    ownerKeySecret: 's',
  }));
  const made = await world.fetch('/v1/organisations', {
    method: 'POST',
    key: OPERATOR,
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect(await made.json()).toEqual({ ownerKeySecret: 's' });
});

test('keys: missing, malformed, unknown, expired', async () => {
  const expired = aKey('expired');
  world.keys.set(expired, { organisationId: 'org-x', expireTime: new Date(Date.now() - 1_000) });
  const asked = world.authentications;
  const reasonOf = async (authorization: string | undefined): Promise<string> => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    const response = await fetch(`${world.http}/v1/jobs/j`, { headers });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    return ((await response.json()) as { reason: string }).reason;
  };
  expect(await reasonOf(undefined)).toBe('API_KEY_MISSING');
  expect(await reasonOf('Basic abc')).toBe('API_KEY_INVALID');
  expect(await reasonOf(`Bearer ${ALICE.slice(0, -1)}`)).toBe('API_KEY_INVALID');
  expect(world.authentications).toBe(asked);
  expect(await reasonOf(`Bearer ${aKey('nobody')}`)).toBe('API_KEY_INVALID');
  expect(await reasonOf(`Bearer ${expired}`)).toBe('API_KEY_EXPIRED');
  expect(await reasonOf(`Bearer ${expired}`)).toBe('API_KEY_EXPIRED');
  expect(world.authentications).toBe(asked + 2);
});

test('a revoked key is refused within 3 s; a good one is looked up seldom', async () => {
  world.peers.handle(SchedulerServiceService.getJob, async ({ jobId }) =>
    GetJobResponse.fromPartial({ job: { jobId, tasks: [{ runs: [{ state: RunState.RUNNING }] }] } }),
  );
  const key = aKey('bob');
  world.keys.set(key, { organisationId: 'org-bob' });
  const before = world.authentications;
  await Promise.all(Array.from({ length: 20 }, async () => (await world.fetch('/v1/jobs/j', { key })).text()));
  expect(world.authentications).toBe(before + 1);
  world.keys.get(key)!.revoked = true;
  const revokedMs = Date.now();
  let response: Response;
  do {
    response = await world.fetch('/v1/jobs/j', { key });
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (response.ok);
  expect(Date.now() - revokedMs).toBeLessThan(3_000);
  expect(await response.json()).toMatchObject({ status: 401, reason: 'API_KEY_REVOKED' });
});
