import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { DomainError } from '@daya/kernel';
import { readDetails, STATUS_DETAILS_KEY, type ServiceDefinition } from '@daya/nest';
import { DispatchServiceService, UploadBlobResponse } from '@daya/proto/dispatch';
import { health, reflectionV1 } from '@daya/proto/grpc';
import { OrganisationServiceService } from '@daya/proto/registry';
import { GetJobResponse, SchedulerServiceService, WatchJobResponse } from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { aKey, ALICE, World } from './support/world';

let world: World;
let client: Client;
beforeAll(async () => {
  world = await World.start({ RATE_KEY_BURST: '1000' });
  client = new Client(world.partnerUrl, credentials.createSsl(world.ca), {
    'grpc.ssl_target_name_override': 'gateway',
  });
});
afterAll(async () => {
  client.close();
  await world.stop();
});

const withKey = (key: string | undefined = ALICE, more: Record<string, string> = {}): Metadata => {
  const metadata = new Metadata();
  if (key !== '') metadata.set('authorization', `Bearer ${key}`);
  for (const [name, value] of Object.entries(more)) metadata.set(name, value);
  return metadata;
};

type Method = ServiceDefinition[string];
function unary<M extends Method>(
  method: M,
  request: unknown,
  metadata = withKey(),
  deadlineMs: number | null = 5_000,
): Promise<ReturnType<M['responseDeserialize']>> {
  const options = deadlineMs === null ? {} : { deadline: Date.now() + deadlineMs };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      options,
      (error, reply) => (error === null ? resolve(reply as ReturnType<M['responseDeserialize']>) : reject(error)),
    );
  });
}

async function refusal(
  call: Promise<unknown>,
): Promise<{ code: number; reason: string; details: string; error: ServiceError }> {
  const error = (await call.then(
    () => Promise.reject(new Error('was not refused')),
    (caught: unknown) => caught,
  )) as ServiceError;
  return { code: error.code, reason: readDetails(error.metadata).reason, details: error.details, error };
}

test('a unary call goes through as bytes, with the caller and no metadata of the partner', async () => {
  world.peers.handle(SchedulerServiceService.getJob, async ({ jobId }) =>
    GetJobResponse.fromPartial({ job: { jobId } }),
  );
  const smuggled = {
    'x-daya-caller': 'forged',
    'x-other': 'y',
    traceparent: '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01',
  };
  const reply = await unary(SchedulerServiceService.getJob, { jobId: 'job-9' }, withKey(ALICE, smuggled));
  expect(reply.job?.jobId).toBe('job-9');
  const { context } = world.peers.seen.at(-1)!;
  expect(context.caller).toMatchObject({ organisationId: 'org-alice' });
  expect(context.metadata.get('x-other')).toEqual([]);
  expect(String(context.metadata.get('traceparent'))).not.toContain('aaaaaaaa');
  expect(context.deadline!.getTime()).toBeLessThanOrEqual(Date.now() + 5_000);
});

test('refusals of the service arrive with their trailers unchanged', async () => {
  const violations = [{ field: 'job_id', reason: 'MALFORMED', description: 'must be a UUID' }];
  world.peers.handle(SchedulerServiceService.getJob, async () => {
    throw new DomainError('invalid', 'INVALID_FIELDS', 'invalid fields: job_id', { a: 'b' }, violations);
  });
  const { code, error } = await refusal(unary(SchedulerServiceService.getJob, { jobId: 'x' }));
  expect(code).toBe(status.INVALID_ARGUMENT);
  expect(readDetails(error.metadata)).toEqual({ reason: 'INVALID_FIELDS', metadata: { a: 'b' }, violations });
  expect(error.metadata.get(STATUS_DETAILS_KEY)).toHaveLength(1);
  world.peers.handle(SchedulerServiceService.getJob, async () => {
    throw new Error('select * from secrets');
  });
  expect(await refusal(unary(SchedulerServiceService.getJob, { jobId: 'x' }))).toMatchObject({
    code: status.INTERNAL,
    details: 'internal error',
  });
});

test('no deadline, no key, a bad key, a method between services, an unknown one', async () => {
  expect(await refusal(unary(SchedulerServiceService.getJob, { jobId: 'x' }, withKey(), null))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    reason: 'DEADLINE_REQUIRED',
  });
  expect(await refusal(unary(SchedulerServiceService.getJob, { jobId: 'x' }, withKey('')))).toMatchObject({
    code: status.UNAUTHENTICATED,
    reason: 'API_KEY_MISSING',
  });
  expect(await refusal(unary(SchedulerServiceService.getJob, { jobId: 'x' }, withKey(aKey('nobody'))))).toMatchObject({
    code: status.UNAUTHENTICATED,
    reason: 'API_KEY_INVALID',
  });
  expect(await refusal(unary(SchedulerServiceService.submitCanary, {}))).toMatchObject({
    code: status.PERMISSION_DENIED,
    reason: 'MEMBERS_NOT_ALLOWED',
  });
  expect(await refusal(unary(OrganisationServiceService.authenticateApiKey, { secret: ALICE }))).toMatchObject({
    code: status.PERMISSION_DENIED,
  });
  const unknown = {
    ...SchedulerServiceService.getJob,
    path: '/daya.scheduler.v1.SchedulerService/Nothing',
  } as unknown as Method;
  expect((await refusal(unary(unknown, { jobId: 'x' }))).code).toBe(status.UNIMPLEMENTED);
});

test('a stream of replies, its refusal, and its cut on revocation', async () => {
  world.peers.handle(SchedulerServiceService.watchJob, async function* ({ jobId }, { signal }) {
    yield WatchJobResponse.fromPartial({ job: { jobId, version: 1n } });
    if (jobId === 'refused') throw new DomainError('not-found', 'JOB_NOT_FOUND', 'job not found');
    yield WatchJobResponse.fromPartial({ job: { jobId, version: 2n } });
    if (jobId === 'long')
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  });
  const watch = (jobId: string, key: string): Promise<{ versions: bigint[]; code: number; reason: string }> => {
    const { path, requestSerialize, responseDeserialize } = SchedulerServiceService.watchJob;
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { jobId, resumeVersion: 0n },
      withKey(key),
    );
    const versions: bigint[] = [];
    call.on('data', ({ job }: WatchJobResponse) => versions.push(job!.version));
    return new Promise((resolve) => {
      call.on('error', () => undefined);
      call.on('status', ({ code, metadata }) => resolve({ versions, code, reason: readDetails(metadata).reason }));
    });
  };
  expect(await watch('short', ALICE)).toMatchObject({ versions: [1n, 2n], code: status.OK });
  expect(await watch('refused', ALICE)).toMatchObject({
    versions: [1n],
    code: status.NOT_FOUND,
    reason: 'JOB_NOT_FOUND',
  });
  expect(await watch('short', '')).toMatchObject({
    versions: [],
    code: status.UNAUTHENTICATED,
    reason: 'API_KEY_MISSING',
  });
  const key = aKey('dave');
  world.keys.set(key, { organisationId: 'org-dave' });
  const long = watch('long', key);
  await new Promise((resolve) => setTimeout(resolve, 500));
  world.keys.get(key)!.revoked = true;
  const startMs = Date.now();
  expect(await long).toMatchObject({ versions: [1n, 2n], code: status.UNAUTHENTICATED, reason: 'API_KEY_REVOKED' });
  expect(Date.now() - startMs).toBeLessThan(3_000);
});

test('a stream of requests, with the service’s early refusal', async () => {
  world.peers.handle(DispatchServiceService.uploadBlob, async (requests) => {
    let bytes = 0;
    for await (const { chunk } of requests) {
      bytes += chunk.length;
      if (bytes > 20 * 65_536) throw new DomainError('exhausted', 'STORE_FULL', 'the store is full');
    }
    return UploadBlobResponse.fromPartial({ sha256: 's', bytes: BigInt(bytes) });
  });
  const upload = (pieces: number): Promise<UploadBlobResponse> => {
    const { path, requestSerialize, responseDeserialize } = DispatchServiceService.uploadBlob;
    return new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        withKey(),
        (error, reply) => (error === null ? resolve(reply!) : reject(error)),
      );
      for (let index = 0; index < pieces; index += 1) call.write({ sha256: '', chunk: Buffer.alloc(65_536) });
      call.end();
    });
  };
  expect(await upload(10)).toEqual({ sha256: 's', bytes: 655_360n });
  expect(await refusal(upload(200))).toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: 'STORE_FULL' });
});

test('a partner that leaves ends the call behind it', async () => {
  let left = false;
  world.peers.handle(SchedulerServiceService.getJob, async (_request, { signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    left = true;
    return GetJobResponse.fromPartial({});
  });
  expect(await refusal(unary(SchedulerServiceService.getJob, { jobId: 'x' }, withKey(), 300))).toMatchObject({
    code: status.DEADLINE_EXCEEDED,
  });
  await eventually(() => expect(left).toBe(true));
});

test('health and reflection need no key', async () => {
  const answer = await unary(
    health.HealthService.check as unknown as Method,
    { service: 'daya.scheduler.v1.SchedulerService' },
    new Metadata(),
  );
  expect(answer).toEqual({ status: health.HealthCheckResponse_ServingStatus.SERVING });
  const { path, requestSerialize, responseDeserialize } = reflectionV1.ServerReflectionService.serverReflectionInfo;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
  const replies: reflectionV1.ServerReflectionResponse[] = [];
  call.on('data', (reply: reflectionV1.ServerReflectionResponse) => replies.push(reply));
  const over = new Promise((resolve) => call.on('end', resolve));
  call.write({ host: '', messageRequest: { $case: 'listServices', value: '' } });
  call.write({
    host: '',
    messageRequest: { $case: 'fileContainingSymbol', value: 'daya.scheduler.v1.SchedulerService' },
  });
  call.write({ host: '', messageRequest: { $case: 'fileContainingSymbol', value: 'daya.none' } });
  call.end();
  await over;
  const [list, file, none] = replies.map(({ messageResponse }) => messageResponse);
  const names = list?.$case === 'listServicesResponse' ? list.value.service.map(({ name }) => name) : [];
  expect(names).toContain('daya.scheduler.v1.SchedulerService');
  expect(names).not.toContain('daya.scheduler.v1.LeaseService');
  expect(file?.$case).toBe('fileDescriptorResponse');
  expect(none?.$case).toBe('errorResponse');
});

test('plain text is no way in', async () => {
  const plain = new Client(world.partnerUrl, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = SchedulerServiceService.getJob;
  const code = await new Promise((resolve) => {
    plain.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { jobId: 'x' },
      withKey(),
      { deadline: Date.now() + 1_000 },
      (error) => resolve(error?.code),
    );
  });
  expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain(code);
  plain.close();
});
