import { randomUUID } from 'node:crypto';
import { metrics } from '@daya/nest';
import { eventually, type TestService } from '@daya/testing';
import { BOOT_TIMEOUT_MS, SchedulerHarness } from './harness';

let market: SchedulerHarness;

/** What /metrics says of the market, without the prefix. */
const gauges = async (): Promise<Readonly<Record<string, number>>> =>
  Object.fromEntries(
    [...(await metrics.metrics()).matchAll(/^daya_scheduler_(\w+) (\S+)$/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]),
  );

beforeAll(async () => {
  market = await SchedulerHarness.start({ TIMER_SCALE: '1' });
}, BOOT_TIMEOUT_MS);
beforeEach(() => market.moveOn());
afterAll(() => market.stop(), BOOT_TIMEOUT_MS);

test(
  'a new scheduler grants every live lease one full life, and gives no GPU away that is taken',
  async () => {
    const node = await market.node();
    const member = market.customer(10_000_000n);
    const { jobId } = await market.submit(member);
    const offer = await market.offered(member, jobId);
    await market.run(offer);
    const second = await market.submit(member);
    await market.shutDown();
    await market.sql.query(`UPDATE lease_renewal SET expire_time = now() - interval '10 seconds'`);
    await market.boot();
    expect(await market.job(member, jobId)).toMatchObject({
      state: 'JOB_STATE_RUNNING',
      tasks: [{ runs: [{ state: 'RUN_STATE_RUNNING' }] }],
    });
    const { renewals } = await market.beat(node, [offer]);
    expect(renewals).toMatchObject([{ renewed: [{ leaseId: offer.leaseId }] }]);
    expect((await market.job(member, second.jobId)).tasks[0]!.runs).toEqual([]);
    expect((await market.exit(offer)).outcome).toBe('LEASE_REPORT_OUTCOME_APPLIED');
    const next = await market.offered(member, second.jobId);
    expect(next.leaseToken).toBe(offer.leaseToken + 1n);
  },
  BOOT_TIMEOUT_MS,
);

test(
  'a new scheduler takes nobody from the market that was online, and counts what it has',
  async () => {
    const node = await market.node();
    const member = market.customer(10_000_000n);
    await eventually(async () => {
      const { rows } = await market.sql.query('SELECT 1 FROM node_liveness WHERE node_id = $1', [node.nodeId]);
      expect(rows).toHaveLength(1);
    });
    market.silence(node);
    await market.shutDown();
    await market.boot();
    const { jobId } = await market.submit(member);
    await market.offered(member, jobId);
    const { leading, available_nodes: available, known_nodes: known, open_leases: leases } = await gauges();
    expect(leading).toBe(1);
    expect(leases).toBeGreaterThan(0);
    expect(available).toBeGreaterThan(0);
    expect(known).toBeGreaterThanOrEqual(available!);
  },
  BOOT_TIMEOUT_MS,
);

test('a bell that Redis lost is rung again under another id', async () => {
  const redis = market.redis.connect();
  await market.node();
  const member = market.customer(10_000_000n);
  const { jobId } = await market.submit(member);
  const { leaseId } = await market.offered(member, jobId);
  // Bells are rung for many leases at once, under the id of any of them: what a bell carries says whom it is for.
  const rung = async (): Promise<string[]> => {
    const keys = await redis.keys(`${market.redis.prefix}:dispatch-*:lease-*`);
    const carried = await Promise.all(keys.map((key) => redis.hget(key, 'data')));
    return keys.filter((_key, index) => carried[index]?.includes(leaseId));
  };
  const first = await eventually(async () => {
    const keys = await rung();
    expect(keys).not.toEqual([]);
    return keys;
  });
  await redis.del(...(await redis.keys(`${market.redis.prefix}:*`)));
  const again = await eventually(async () => {
    const keys = await rung();
    expect(keys).not.toEqual([]);
    return keys;
  });
  expect(first).toEqual(expect.not.arrayContaining(again));
  redis.disconnect();
});

test(
  'while Redis is away jobs are still placed',
  async () => {
    await market.shutDown();
    await market.boot({ REDIS_URL: 'redis://127.0.0.1:1' });
    await market.node();
    const member = market.customer(10_000_000n);
    const { jobId } = await market.submit(member);
    const offer = await market.offered(member, jobId);
    await market.run(offer);
    expect((await market.exit(offer)).outcome).toBe('LEASE_REPORT_OUTCOME_APPLIED');
    await market.shutDown();
    await market.boot();
  },
  BOOT_TIMEOUT_MS,
);

test(
  'a second scheduler is a standby: it takes jobs and refuses leases, and takes over when the writer is gone',
  async () => {
    const node = await market.node();
    const member = market.customer(10_000_000n);
    const standby: TestService = await market.startOne();
    const writer = market.service;
    try {
      const fromStandby = market.clientsOf(standby);
      await expect(
        fromStandby.leases.renewLeases({
          heartbeats: [
            { nodeId: node.nodeId, receiveTime: undefined, leases: [], agentStarted: false, draining: false },
          ],
        }),
      ).rejects.toThrow('receive_time');
      await expect(market.beatBy(fromStandby.leases, node)).rejects.toThrow(
        expect.objectContaining({ reason: 'NOT_LEADING' }) as Error,
      );
      await market.beat(node);
      // A standby reads the market from the database now and then: what the writer sees it sees a moment later.
      const submission = market.submission(member);
      const { job } = await eventually(
        async () => {
          await market.beat(node);
          return fromStandby.jobs.submitJob(submission, { caller: member, deadlineMs: 20_000 });
        },
        { timeoutMs: 45_000, everyMs: 500 },
      );
      await market.offered(member, job!.jobId);
      await writer.stop();
      await eventually(() => market.beatBy(fromStandby.leases, node));
    } finally {
      await writer.stop();
      Object.assign(market, market.clientsOf(standby), { service: standby });
    }
  },
  BOOT_TIMEOUT_MS,
);

test('a writer that was overtaken cannot write: its batch fails whole and it begins a new term', async () => {
  const node = await market.node();
  const member = market.customer(10_000_000n);
  const before = await market.sql.query<{ range_id: string }>('SELECT range_id FROM placement_range');
  await market.sql.query('UPDATE placement_range SET range_id = range_id + 1');
  const { jobId } = await market.submit(member);
  await eventually(() => market.beat(node));
  const offer = await market.offered(member, jobId);
  expect(offer.leaseToken).toBe(1n);
  const { rows } = await market.sql.query<{ range_id: string }>('SELECT range_id FROM placement_range');
  expect(Number(rows[0]!.range_id)).toBeGreaterThan(Number(before.rows[0]!.range_id) + 1);
});

test('a canary runs on its node before that is admitted, costs nothing, and tells the registry how it went', async () => {
  const node = await market.node({ admitted: false });
  const request = { ...market.submission(market.customer(0n)), nodeId: node.nodeId };
  const canary = { requestId: request.requestId, nodeId: node.nodeId, spec: request.spec };
  const { job } = await market.canaries.submitCanary(canary);
  expect((await market.canaries.submitCanary(canary)).job!.jobId).toBe(job!.jobId);
  const run = await eventually(async () => {
    const { job: now } = await market.canaries.getJob({ jobId: job!.jobId });
    expect(now!.tasks[0]!.runs).toMatchObject([
      { state: 'RUN_STATE_OFFERED', nodeId: node.nodeId, offerId: '', priceMicrosPerGpuHour: 0n },
    ]);
    return now!.tasks[0]!.runs[0]!;
  });
  const report = { nodeId: node.nodeId, leaseId: run.leaseId, leaseToken: run.leaseToken };
  await market.run(report as never);
  await market.exit(report as never);
  expect(await market.events(job!.jobId)).toEqual(['1 JobQueued', '2 JobFinished']);
  expect(market.billing.holds.has(job!.jobId)).toBe(false);
});

test(
  'twenty tasks on eight GPUs of four nodes: no GPU is ever held twice, every task runs once',
  async () => {
    await Promise.all(Array.from({ length: 4 }, () => market.node({ gpus: 2 })));
    const member = market.customer(100_000_000n);
    const { jobId } = await market.submit(member, { taskCount: 20 }, randomUUID());
    await eventually(
      async () => {
        const { rows } = await market.sql.query<{ lease_id: string; lease_token: string; node_id: string }>(
          `SELECT lease_id, lease_token, node_id FROM lease JOIN run USING (lease_id) WHERE state = 'OFFERED' AND lease.job_id = $1`,
          [jobId],
        );
        await market.finishAll(
          rows.map((row) => ({ leaseId: row.lease_id, leaseToken: BigInt(row.lease_token), nodeId: row.node_id })),
        );
        expect((await market.job(member, jobId)).state).toBe('JOB_STATE_SUCCEEDED');
      },
      { timeoutMs: 90_000 },
    );
    const { rows } = await market.sql.query<{ leases: number }>(
      `SELECT count(*)::int AS leases FROM run WHERE job_id = $1 AND state = 'SUCCEEDED'`,
      [jobId],
    );
    expect(rows[0]!.leases).toBe(20);
    for (const auditor of [
      'audit_s1(0)',
      'audit_s2(0)',
      'audit_s3(0)',
      'audit_s6(0, ARRAY[]::uuid[])',
      'audit_s7(0)',
    ]) {
      expect((await market.sql.query(`SELECT * FROM ${auditor}`)).rows).toEqual([]);
    }
  },
  BOOT_TIMEOUT_MS,
);
