import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { Job, JobState } from '@daya/proto/scheduler';
import { BOOT_TIMEOUT_MS, SchedulerHarness } from './harness';
import { NO_REQUIREMENTS, type Member } from './messages';

let market: SchedulerHarness;
let member: Member;
let job: Job;

beforeAll(async () => {
  market = await SchedulerHarness.start();
  await market.node({ gpus: 1 });
  member = market.customer(100_000_000n);
  job = await market.submit(member, { secrets: [{ name: 'TOKEN', value: 'very-secret-value' }] });
}, BOOT_TIMEOUT_MS);
afterAll(() => market.stop(), BOOT_TIMEOUT_MS);

const ANY = 'JOB_STATE_UNSPECIFIED' as JobState;
const list = (more: object = {}, caller = member) =>
  market.jobs.listJobs({ pageSize: 0, pageToken: '', projectId: '', state: ANY, ...more }, { caller });
const refusal = (reason: string): Error => expect.objectContaining({ reason }) as Error;

test('a stranger’s job answers exactly like a missing one, in every call', async () => {
  const stranger = market.customer(1n);
  const calls = [
    (jobId: string) => market.jobs.getJob({ jobId }, { caller: stranger }),
    (jobId: string) => market.jobs.cancelJob({ requestId: randomUUID(), jobId }, { caller: stranger }),
    (jobId: string) => market.jobs.explainJob({ jobId, spec: undefined }, { caller: stranger }),
    (jobId: string) =>
      market.jobs.watchJob({ jobId, resumeVersion: 0n }, { caller: stranger })[Symbol.asyncIterator]().next(),
  ];
  for (const call of calls) {
    for (const jobId of [job.jobId, randomUUID()]) await expect(call(jobId)).rejects.toThrow(refusal('JOB_NOT_FOUND'));
  }
  expect((await list({}, stranger)).jobs).toEqual([]);
  expect((await market.job(member, job.jobId)).state).not.toBe('JOB_STATE_CANCELLED');
});

test('row-level security hides rows even from our own SQL without a scope', async () => {
  const scoped = new Client({ connectionString: market.database.url });
  await scoped.connect();
  for (const table of [
    'quote',
    'job',
    'task',
    'lease',
    'run',
    'lease_renewal',
    'artifact',
    'blob',
    'request',
    'lease_gpu',
    'lease_report',
    'node_view',
    'offer_view',
    'node_liveness',
    'placement_range',
    'outbox',
  ]) {
    expect({ table, rows: (await scoped.query(`SELECT * FROM ${table}`)).rowCount }).toEqual({ table, rows: 0 });
  }
  await scoped.query('BEGIN');
  await scoped.query(`SELECT set_config('app.organisation', $1, true)`, [member.organisationId]);
  expect((await scoped.query('SELECT * FROM job')).rowCount).toBe(1);
  await scoped.end();
});

test('secrets rest encrypted: no column of any table holds their value', async () => {
  const { rows } = await market.sql.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`,
  );
  for (const { name } of rows) {
    const { rows: hits } = await market.sql.query(
      `SELECT 1 FROM "${name}" t WHERE t::text LIKE '%very-secret-value%' OR t::text LIKE '%${Buffer.from('very-secret-value').toString('hex')}%'`,
    );
    expect({ name, hits: hits.length }).toEqual({ name, hits: 0 });
  }
  expect(
    JSON.stringify(job, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  ).not.toContain('very-secret');
});

test('pages are newest first, complete, and bound to their filter', async () => {
  const owner = market.customer(100_000_000n);
  const ids: string[] = [];
  for (let count = 0; count < 5; count += 1) ids.push((await market.submit(owner)).jobId);
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await list({ pageSize: 2, pageToken }, owner);
    seen.push(...page.jobs.map(({ jobId }) => jobId));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect(seen).toEqual(ids.reverse());
  const { nextPageToken } = await list({ pageSize: 2 }, owner);
  await expect(list({ pageSize: 2, pageToken: nextPageToken, projectId: owner.projectId }, owner)).rejects.toThrow(
    'page_token',
  );
  await expect(list({ pageToken: 'x' }, owner)).rejects.toThrow('page_token');
  await expect(list({ pageSize: -1 }, owner)).rejects.toThrow('page_size');
  for (const { jobId } of (await list({}, owner)).jobs)
    await market.jobs.cancelJob({ requestId: randomUUID(), jobId }, { caller: owner });
});

test('an explanation tells which requirement removes the offers', async () => {
  const far = market.aSpec({ requirements: { ...NO_REQUIREMENTS, gpuModelIds: ['h100'] } });
  expect(await market.jobs.explainJob({ jobId: '', spec: far }, { caller: member })).toMatchObject({
    offerCount: 1,
    feasibleOfferCount: 0,
    removed: [{ requirement: 'GPU_MODEL', offerCount: 1 }],
  });
  expect(await market.jobs.explainJob({ jobId: job.jobId, spec: undefined }, { caller: member })).toMatchObject({
    offerCount: 1,
    feasibleOfferCount: 0,
  });
  await expect(market.jobs.explainJob({ jobId: '', spec: undefined }, { caller: member })).rejects.toThrow('job_id');
});

test('a watcher sees the job as it is, every later state, and the end; it can resume', async () => {
  const owner = market.customer(100_000_000n);
  await market.node();
  const watched = await market.submit(owner);
  const states: string[] = [];
  let version = 0n;
  const watching = (async () => {
    for await (const { job: now } of market.jobs.watchJob(
      { jobId: watched.jobId, resumeVersion: 0n },
      { caller: owner },
    )) {
      states.push(now!.state);
      expect(now!.version > version).toBe(true);
      version = now!.version;
    }
  })();
  const offer = await market.offered(owner, watched.jobId);
  await market.run(offer);
  await market.exit(offer, 'EXITED', 0, ['a/b.txt']);
  await watching;
  expect(states[0]).toBe('JOB_STATE_QUEUED');
  expect(states.at(-1)).toBe('JOB_STATE_SUCCEEDED');
  const resumed = [];
  for await (const { job: now } of market.jobs.watchJob(
    { jobId: watched.jobId, resumeVersion: version },
    { caller: owner },
  ))
    resumed.push(now);
  expect(resumed).toEqual([]);
  const found = await market.jobs.getArtifact(
    { jobId: watched.jobId, taskIndex: 0, path: 'a/b.txt' },
    { caller: owner },
  );
  expect(found.artifact).toEqual({ path: 'a/b.txt', bytes: 3n, sha256: 'ab'.repeat(32) });
  await expect(
    market.jobs.getArtifact({ jobId: watched.jobId, taskIndex: 0, path: 'nope' }, { caller: owner }),
  ).rejects.toThrow(refusal('ARTIFACT_NOT_FOUND'));
  await expect(
    market.jobs.getArtifact({ jobId: watched.jobId, taskIndex: 0, path: 'a/b.txt' }, { caller: member }),
  ).rejects.toThrow(refusal('ARTIFACT_NOT_FOUND'));
  const owned = (organisationId: string) => market.blobs.checkBlob({ organisationId, sha256: 'ab'.repeat(32) });
  expect(await owned(owner.organisationId)).toEqual({ owned: true, bytes: 3n });
  expect(await owned(member.organisationId)).toEqual({ owned: false, bytes: 0n });
});

test('an uploaded blob belongs to its organisation only; noting it twice changes nothing', async () => {
  const blob = { requestId: randomUUID(), organisationId: member.organisationId, sha256: 'cd'.repeat(32), bytes: 7n };
  await market.blobs.registerBlob(blob);
  await market.blobs.registerBlob(blob);
  await market.blobs.registerBlob({ ...blob, requestId: randomUUID() });
  await expect(market.blobs.registerBlob({ ...blob, bytes: 8n })).rejects.toThrow(refusal('REQUEST_ID_REUSED'));
  expect(await market.blobs.checkBlob({ organisationId: member.organisationId, sha256: blob.sha256 })).toEqual({
    owned: true,
    bytes: 7n,
  });
  expect(await market.blobs.checkBlob({ organisationId: randomUUID(), sha256: blob.sha256 })).toEqual({
    owned: false,
    bytes: 0n,
  });
  await expect(market.blobs.checkBlob({ organisationId: 'x', sha256: '' })).rejects.toThrow('organisation_id, sha256');
});

test('services call only what is theirs', async () => {
  await expect(market.canaries.submitJob({ ...market.submission(member) })).rejects.toThrow(
    refusal('SERVICE_NOT_ALLOWED'),
  );
  await expect(
    market.jobs.submitCanary({ requestId: 'r', nodeId: randomUUID(), spec: market.aSpec() }, { caller: member }),
  ).rejects.toThrow(refusal('MEMBERS_NOT_ALLOWED'));
});
