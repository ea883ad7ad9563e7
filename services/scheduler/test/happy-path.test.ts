import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { LeaseOffer } from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { BOOT_TIMEOUT_MS, SchedulerHarness } from './harness';

let market: SchedulerHarness;

beforeAll(async () => {
  market = await SchedulerHarness.start();
}, BOOT_TIMEOUT_MS);
beforeEach(() => market.moveOn());
afterAll(() => market.stop(), BOOT_TIMEOUT_MS);

test('a job is quoted, funded, leased, run and finished, and every step is told in order', async () => {
  const node = await market.node();
  const member = market.customer(10_000_000n);
  const job = await market.submit(member, { secrets: [{ name: 'TOKEN', value: 'hush' }], env: { A: 'b' } });
  expect(job).toMatchObject({ quoteMicros: 16_666n, spec: { secrets: [{ name: 'TOKEN', value: '' }] } });
  const offer = await market.offered(member, job.jobId);
  expect(offer).toMatchObject({
    nodeId: node.nodeId,
    runNumber: 1,
    leaseToken: 1n,
    command: ['run', '0'],
    env: { A: 'b' },
    secrets: [{ name: 'TOKEN', value: 'hush' }],
    maxRunSeconds: 60,
  });
  // The first was made of what the writer had at hand, this one comes from the database.
  const { offers } = await market.leases.getLeaseOffers({ leaseIds: [offer.leaseId] });
  expect(offers.map((one) => LeaseOffer.decode(one.offer))).toEqual([offer]);
  await market.run(offer);
  expect(await market.job(member, job.jobId)).toMatchObject({
    state: 'JOB_STATE_RUNNING',
    tasks: [{ state: 'TASK_STATE_RUNNING' }],
  });
  const { renewals } = await market.beat(node, [offer]);
  expect(renewals[0]).toMatchObject({ renewed: [{ leaseId: offer.leaseId }], stops: [] });
  expect((await market.exit(offer, 'EXITED', 0, ['model.bin'])).outcome).toBe('LEASE_REPORT_OUTCOME_APPLIED');

  const done = await market.job(member, job.jobId);
  expect(done).toMatchObject({
    state: 'JOB_STATE_SUCCEEDED',
    tasks: [{ state: 'TASK_STATE_SUCCEEDED', artifacts: [{ path: 'model.bin', bytes: 3n }] }],
  });
  const types = (await market.events(offer.leaseId)).map((event) => event.split(' ')[1]);
  expect(types.filter((type) => type !== 'LeaseExtended')).toEqual([
    'LeaseGranted',
    'LeaseStarted',
    'LeaseEnded',
    'LeaseClosed',
  ]);
  expect((await market.events(offer.leaseId)).map((event) => Number(event.split(' ')[0]))).toEqual(
    types.map((_, index) => index + 1),
  );
  expect(await market.events(job.jobId)).toEqual(['1 JobQueued', '2 JobFinished']);
});

test('an offer is signed with the scheduler’s identity key and rung once in the node’s queue', async () => {
  await market.node();
  const member = market.customer(10_000_000n);
  const job = await market.submit(member);
  const { leaseId } = await market.offered(member, job.jobId);
  const { offers } = await market.leases.getLeaseOffers({ leaseIds: [leaseId] });
  const { keys } = JSON.parse(readFileSync(market.identity.env('scheduler').JWKS_FILE, 'utf8')) as {
    keys: (JsonWebKey & { kid: string })[];
  };
  const key = createPublicKey({ format: 'jwk', key: keys.find(({ kid }) => kid === 'scheduler')! });
  expect(verify(null, offers[0]!.offer, key, offers[0]!.signature)).toBe(true);
  expect(LeaseOffer.decode(offers[0]!.offer).leaseId).toBe(leaseId);
  const redis = market.redis.connect();
  const found = await eventually(async () => {
    const keysFound = await redis.keys(`${market.redis.prefix}:dispatch-*:lease-${leaseId}-*`);
    expect(keysFound.length).toBeGreaterThan(0);
    return keysFound;
  });
  expect(JSON.parse((await redis.hget(found[0]!, 'data'))!)).toEqual({ leaseIds: [leaseId] });
  redis.disconnect();
});

test('jobs that arrive at once are all queued and placed, each told of in the trace of its own call', async () => {
  for (let count = 0; count < 4; count += 1) await market.node();
  const member = market.customer(100_000_000n);
  const jobs = await Promise.all(Array.from({ length: 4 }, () => market.submit(member)));
  const ids = jobs.map(({ jobId }) => jobId);
  for (const jobId of ids) await market.offered(member, jobId);
  const { rows } = await market.sql.query<{ trace: string | null }>(
    `SELECT headers->>'traceparent' AS trace FROM outbox WHERE type LIKE '%.JobQueued' AND key = ANY($1)`,
    [ids],
  );
  expect(rows).toHaveLength(4);
  const traces = rows.map(({ trace }) => /^00-([0-9a-f]{32})-/.exec(trace ?? '')?.[1]);
  expect(new Set(traces).size).toBe(4);
  expect(traces).not.toContain(undefined);
});
