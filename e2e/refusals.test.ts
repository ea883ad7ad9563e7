import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { createClient, Identity, loadTls, type GrpcClient } from '@daya/nest/client';
import { BillingServiceService } from '@daya/proto/billing';
import { LeaseServiceService, SchedulerServiceService } from '@daya/proto/scheduler';
import { lastingViolations } from './support/auditors';
import { businessState } from './support/business-state';
import {
  freshRegion,
  openDemand,
  openSupply,
  readJob,
  restClient,
  shellJob,
  statementOf,
  submit,
  until,
  untilFinished,
  untilSettled,
  workFor,
  type Party,
  type Supply,
} from './support/market';
import { attachPlatform, type Platform, type ServiceName } from './support/platform';

let platform: Platform;
let region: string;
let supply: Supply;
let funded: Party;

beforeAll(async () => {
  platform = attachPlatform();
  region = freshRegion();
  [supply, funded] = await Promise.all([openSupply(platform, region, [{ gpus: 1 }]), openDemand(platform, '10000000')]);
}, 90_000);

afterAll(() => Promise.all(supply.agents.map((agent) => agent.stop())));

interface Problem {
  readonly status: number;
  readonly reason?: string;
  readonly detail?: string;
  readonly violations?: readonly { field: string }[];
}

/** The refusal of a call that must be refused. */
async function refusal(call: Promise<unknown>): Promise<Problem> {
  try {
    await call;
  } catch (error) {
    return error as Problem;
  }
  throw new Error('the call was accepted');
}

const identityOf = (service: ServiceName): Identity =>
  new Identity({
    service,
    keyFile: `${platform.tlsFolder}/${service}.jwk.json`,
    jwksFile: `${platform.tlsFolder}/jwks.json`,
  });

function clientOf<D extends typeof BillingServiceService | typeof LeaseServiceService | typeof SchedulerServiceService>(
  definition: D,
  from: ServiceName,
  to: ServiceName,
): GrpcClient<D> {
  const url = `127.0.0.1:${platform.env[to]?.['GRPC_PORT']}`;
  return createClient(definition, {
    url,
    audience: to,
    identity: identityOf(from),
    tls: { ca: loadTls(platform.tlsFolder, from).ca },
  });
}

test('a customer without funds is refused with INSUFFICIENT_FUNDS, and nothing is left behind', async () => {
  const poor = await openDemand(platform, '0');
  const refused = await refusal(submit(poor, shellJob(region, workFor(1))));
  expect(refused).toMatchObject({ reason: 'INSUFFICIENT_FUNDS' });
  const jobs = await poor.client.list<{ jobId: string; state: string; reason: string }>('/v1/jobs', 'jobs');
  expect(jobs).toMatchObject([{ state: 'JOB_STATE_REJECTED', reason: 'INSUFFICIENT_FUNDS' }]);
  expect((await refusal(poor.client.get(`/v1/jobs/${jobs[0]?.jobId}/hold`))).status).toBe(404);
  expect(await poor.client.list('/v1/transfers', 'transfers')).toEqual([]);
  expect((await readJob(poor, jobs[0]?.jobId ?? '')).tasks?.flatMap(({ runs = [] }) => runs)).toEqual([]);
});

test('of 200 parallel submits with funds for one, exactly one is accepted', async () => {
  const spec = shellJob(region, workFor(0.1), { maxRunSeconds: 3_600 });
  const probe = await funded.client.post<{ quote: { totalMicros: string } }>('/v1/quotes', {
    projectId: funded.projectId,
    spec,
  });
  const oneJob = await openDemand(platform, probe.quote.totalMicros);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, () =>
      oneJob.client.post<{ job: { jobId: string } }>('/v1/jobs', { projectId: oneJob.projectId, spec }),
    ),
  );
  const accepted = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  const reasons = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [(outcome.reason as Problem).reason] : [],
  );
  expect(accepted).toHaveLength(1);
  expect(new Set(reasons)).toEqual(new Set(['INSUFFICIENT_FUNDS']));
  const jobId = accepted[0]?.value.job.jobId ?? '';
  expect((await untilFinished(oneJob, jobId)).state).toBe('JOB_STATE_SUCCEEDED');
  await untilSettled(oneJob, jobId);
  const { accounts } = await oneJob.client.get<{ accounts: { account: string; held?: { amount?: string } }[] }>(
    '/v1/balance',
  );
  expect(accounts.every((account) => (account.held?.amount ?? '0') === '0')).toBe(true);
}, 120_000);

test('another tenant’s job looks exactly like a missing one, to every call that names it', async () => {
  const stranger = await openDemand(platform, '0');
  const jobId = await submit(funded, shellJob(region, workFor(0.1)));
  expect((await untilFinished(funded, jobId)).state).toBe('JOB_STATE_SUCCEEDED');
  await untilSettled(funded, jobId);
  for (const [path, body] of [
    ['/v1/jobs/{id}'],
    ['/v1/jobs/{id}:watch'],
    ['/v1/jobs/{id}:cancel', () => ({ requestId: randomUUID() })],
    ['/v1/jobs:explain', (jobId: string) => ({ jobId })],
    ['/v1/jobs/{id}/hold'],
    ['/v1/jobs/{id}/statement'],
    ['/v1/jobs/{id}/tasks/0/log'],
    ['/v1/jobs/{id}/tasks/0/artifacts/result.txt'],
    ['/v1/jobs/{id}/tasks/0/artifacts:find?path=result.txt'],
  ] as [string, ((jobId: string) => object)?][]) {
    const ask = (id: string) => stranger.client.send(body ? 'POST' : 'GET', path.replace('{id}', id), body?.(id));
    const [foreign, missing] = [await refusal(ask(jobId)), await refusal(ask(randomUUID()))];
    expect({ path, status: foreign.status }).toEqual({ path, status: 404 });
    expect({ status: foreign.status, reason: foreign.reason }).toEqual({
      status: missing.status,
      reason: missing.reason,
    });
  }
  for (const [path, rows] of [
    [`/v1/jobs/${jobId}/usage`, 'usage'],
    [`/v1/invoices?jobId=${jobId}`, 'invoices'],
  ] as const) {
    expect(await funded.client.list(path, rows)).not.toEqual([]);
    expect(await stranger.client.list(path, rows)).toEqual([]);
  }
}, 60_000);

test('a revoked key is refused within five seconds, and an open stream of it ends', async () => {
  const { apiKey, secret } = await funded.client.post<{ apiKey: { keyId: string }; secret: string }>('/v1/api-keys', {
    displayName: 'to be revoked',
    role: 'member',
    scopes: ['jobs:read', 'jobs:write'],
  });
  const holder = restClient(platform, secret);
  const jobId = await submit({ ...funded, client: holder }, shellJob(region, workFor(60)));
  const watched = watchUntilEnd(holder, jobId);
  await until(
    () => readJob(funded, jobId),
    (job) => job.state === 'JOB_STATE_RUNNING',
    30_000,
  );
  const revokedMs = Date.now();
  await funded.client.post(`/v1/api-keys/${apiKey.keyId}:revoke`);
  const refused = await until(
    () => refusal(holder.get('/v1/jobs')).catch(() => ({ status: 0 })),
    (problem) => problem.status === 401,
    6_000,
  );
  expect(Date.now() - revokedMs).toBeLessThan(5_000);
  expect((refused as Problem).reason).toBe('API_KEY_REVOKED');
  const jobsOf = () => funded.client.list('/v1/jobs', 'jobs');
  const before = (await jobsOf()).length;
  const late = { ...funded, client: holder };
  expect(await refusal(submit(late, shellJob(region, workFor(0.1))))).toMatchObject({ status: 401 });
  expect(await refusal(holder.post(`/v1/jobs/${jobId}:cancel`))).toMatchObject({ status: 401 });
  expect(await jobsOf()).toHaveLength(before);
  expect((await readJob(funded, jobId)).state).toBe('JOB_STATE_RUNNING');
  expect((await watched).endMs - revokedMs).toBeLessThan(5_000);
  await funded.client.post(`/v1/jobs/${jobId}:cancel`);
  await untilFinished(funded, jobId);
}, 60_000);

/** Follows a job's events until the stream ends, however it does. */
async function watchUntilEnd(client: ReturnType<typeof restClient>, jobId: string): Promise<{ endMs: number }> {
  try {
    for await (const event of client.events(`/v1/jobs/${jobId}:watch`, AbortSignal.timeout(30_000))) void event;
  } catch {
    // A cut stream ends with an error; that it ended is what counts.
  }
  return { endMs: Date.now() };
}

test('a service may not call what its identity does not allow, and changes nothing by trying', async () => {
  const jobId = randomUUID();
  const state = () => businessState(platform.databases, { jobId, leaseId: randomUUID(), organisationIds: [] });
  const jobs = async () => (await funded.client.list('/v1/jobs', 'jobs')).length;
  const before = await jobs();
  const metering = clientOf(BillingServiceService, 'metering', 'billing');
  const hold = { requestId: randomUUID(), jobId, organisationId: funded.id, quote: undefined };
  await expect(metering.placeHold(hold)).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
    reason: 'SERVICE_NOT_ALLOWED',
  });
  const registry = clientOf(LeaseServiceService, 'registry', 'scheduler');
  await expect(registry.renewLeases({ heartbeats: [] })).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
    reason: 'SERVICE_NOT_ALLOWED',
  });
  // The gateway cannot lend its own rights either: without a member there is nobody to act for.
  const gateway = clientOf(SchedulerServiceService, 'gateway', 'scheduler');
  const submitted = gateway.submitJob({
    requestId: randomUUID(),
    projectId: funded.projectId,
    quoteId: '',
    spec: undefined,
  });
  await expect(submitted).rejects.toMatchObject({ code: status.PERMISSION_DENIED, reason: 'SERVICE_NOT_ALLOWED' });
  expect([await state(), await jobs()]).toEqual([{}, before]);
});

test('a member’s role and scopes are the limit of a key', async () => {
  const { secret } = await funded.client.post<{ secret: string }>('/v1/api-keys', {
    displayName: 'reader',
    role: 'viewer',
    scopes: ['jobs:read'],
  });
  const reader = restClient(platform, secret);
  await reader.get('/v1/jobs');
  expect(await refusal(submit({ ...funded, client: reader }, shellJob(region, workFor(0.1))))).toMatchObject({
    status: 403,
    reason: 'ROLE_TOO_LOW',
  });
  expect(await refusal(reader.get('/v1/balance'))).toMatchObject({ status: 403, reason: 'SCOPE_MISSING' });
});

test('a cancelled job ends, is charged for what ran, and gives the rest back', async () => {
  const jobId = await submit(funded, shellJob(region, workFor(30)));
  await until(
    () => readJob(funded, jobId),
    (job) => job.state === 'JOB_STATE_RUNNING',
    30_000,
  );
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  await funded.client.post(`/v1/jobs/${jobId}:cancel`);
  const job = await untilFinished(funded, jobId, 30_000);
  expect(job.state).toBe('JOB_STATE_CANCELLED');
  const statement = await untilSettled(funded, jobId);
  expect(BigInt(statement.chargedMicros ?? 0) + BigInt(statement.releasedMicros ?? 0)).toBe(
    BigInt(statement.heldMicros ?? 0),
  );
  expect(Number(statement.runs?.[0]?.billableMs ?? 0)).toBeGreaterThan(500);
  expect((await statementOf(funded, jobId)).settled).toBe(true);
}, 90_000);

test('after all of it every invariant holds', async () => {
  expect(await lastingViolations(platform)).toEqual([]);
});
