import { randomUUID } from 'node:crypto';
import { toTimestamp } from '@daya/proto';
import type { LeaseOffer } from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { BOOT_TIMEOUT_MS, SchedulerHarness } from './harness';
import { heartbeat, type Member } from './messages';

let market: SchedulerHarness;

beforeAll(async () => {
  // A lease lives 6 s, an offer 5 s.
  market = await SchedulerHarness.start({ TIMER_SCALE: '0.1' });
}, BOOT_TIMEOUT_MS);
beforeEach(() => market.moveOn());
afterAll(() => market.stop(), BOOT_TIMEOUT_MS);

async function running(member: Member, more = {}): Promise<{ jobId: string; offer: LeaseOffer }> {
  const { jobId } = await market.submit(member, more);
  const offer = await market.offered(member, jobId);
  await market.run(offer);
  return { jobId, offer };
}

test('a silent node’s run is lost, its task runs again elsewhere with the next number, and the late result is stale', async () => {
  const first = await market.node({ priceMicros: 500_000n });
  const member = market.customer(10_000_000n);
  const { jobId, offer } = await running(member);
  const second = await market.node({ priceMicros: 500_000n });
  market.silence(first);
  const again = await eventually(async () => {
    const runs = (await market.job(member, jobId)).tasks[0]!.runs;
    expect(runs).toMatchObject([
      { runNumber: 1, state: 'RUN_STATE_LOST', fault: 'FAULT_PROVIDER', nodeId: first.nodeId },
      { runNumber: 2, nodeId: second.nodeId },
    ]);
    return market.offered(member, jobId);
  });
  const { rows } = await market.sql.query<{ quarantine_ms: number }>(
    'SELECT (extract(epoch FROM closed_at - end_time) * 1000)::float8 AS quarantine_ms FROM lease WHERE lease_id = $1',
    [offer.leaseId],
  );
  expect(rows[0]!.quarantine_ms).toBeGreaterThanOrEqual(1_499);
  expect(await market.exit(offer, 'EXITED', 0, ['late'])).toMatchObject({
    outcome: 'LEASE_REPORT_OUTCOME_STALE',
    reason: 'LEASE_ENDED',
  });
  await market.run(again);
  await market.exit(again, 'EXITED', 0, ['result']);
  const job = await market.job(member, jobId);
  expect(job).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', tasks: [{ artifacts: [{ path: 'result' }] }] });
  const recorded = await market.sql.query(`SELECT outcome FROM lease_report WHERE lease_id = $1 AND kind = 'EXITED'`, [
    offer.leaseId,
  ]);
  expect(recorded.rows).toEqual([{ outcome: 'STALE' }]);
  expect(
    (await market.events(offer.leaseId))
      .filter((event) => !event.includes('Extended'))
      .map((event) => event.split(' ')[1]),
  ).toEqual(['LeaseGranted', 'LeaseStarted', 'LeaseEnded', 'LeaseClosed']);
  await eventually(() => expect(market.registry.connectivity.get(first.nodeId)).toBe('CONNECTIVITY_LOST'));
});

test('a lease that is renewed lives on, and its renewals reach the database and the events', async () => {
  const node = await market.node();
  const member = market.customer(10_000_000n);
  const { jobId, offer } = await running(member);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  expect(await market.job(member, jobId)).toMatchObject({
    state: 'JOB_STATE_RUNNING',
    tasks: [{ runs: [{ state: 'RUN_STATE_RUNNING' }] }],
  });
  const types = await market.events(offer.leaseId);
  expect(types.filter((event) => event.endsWith('LeaseExtended')).length).toBeGreaterThanOrEqual(2);
  expect(types.map((event) => Number(event.split(' ')[0]))).toEqual(types.map((_, index) => index + 1));
  expect(market.registry.connectivity.get(node.nodeId)).toBe('CONNECTIVITY_ONLINE');
}, 60_000);

test('stale tokens and strangers’ leases are refused and recorded, repetitions are told so, and nothing changes', async () => {
  const node = await market.node();
  const other = await market.node();
  const member = market.customer(10_000_000n);
  const { jobId, offer } = await running(member);
  const before = await market.job(member, jobId);
  expect(
    await market.report({ ...offer, leaseToken: offer.leaseToken + 1n }, { $case: 'running', value: {} }),
  ).toMatchObject({ outcome: 'LEASE_REPORT_OUTCOME_STALE', reason: 'TOKEN_STALE' });
  const thief = offer.nodeId === node.nodeId ? other : node;
  expect(await market.report({ ...offer, nodeId: thief.nodeId }, { $case: 'running', value: {} })).toMatchObject({
    outcome: 'LEASE_REPORT_OUTCOME_REFUSED',
    reason: 'LEASE_UNKNOWN',
  });
  const { renewals } = await market.beat(thief, [offer]);
  expect(renewals).toMatchObject([{ renewed: [], stops: [{ leaseId: offer.leaseId, reason: 'SUPERSEDED' }] }]);
  const holder = offer.nodeId === node.nodeId ? node : other;
  for (const leaseToken of [offer.leaseToken + 1n, offer.leaseToken + 2n]) {
    const stale = await market.beat(holder, [{ ...offer, leaseToken }]);
    expect(stale.renewals).toMatchObject([{ renewed: [], stops: [{ leaseToken, reason: 'SUPERSEDED' }] }]);
  }
  expect(await market.job(member, jobId)).toEqual(before);
  const reportId = randomUUID();
  const end = { $case: 'exited' as const, value: { exitCode: 0, reason: 'EXITED', cumulativeMs: 1n, artifacts: [] } };
  expect((await market.report(offer, end, reportId)).outcome).toBe('LEASE_REPORT_OUTCOME_APPLIED');
  expect((await market.report(offer, end, reportId)).outcome).toBe('LEASE_REPORT_OUTCOME_DUPLICATE');
  const { rows } = await market.sql.query(
    `SELECT outcome, count(*)::int AS count FROM lease_report WHERE lease_id = $1 GROUP BY 1 ORDER BY 1`,
    [offer.leaseId],
  );
  expect(rows).toEqual([
    { outcome: 'APPLIED', count: 3 },
    { outcome: 'REFUSED', count: 1 },
    { outcome: 'STALE', count: 1 },
  ]);
});

test('malformed reports are refused together, each named by its index, and none is applied', async () => {
  const bad = {
    reportId: '',
    nodeId: 'x',
    leaseId: randomUUID(),
    leaseToken: 0n,
    receiveTime: toTimestamp(new Date()),
    report: { $case: 'running' as const, value: {} },
  };
  const good = { ...bad, reportId: 'r', nodeId: randomUUID(), leaseToken: 1n };
  const error = await market.leases.reportLeases({ reports: [good, bad] }).catch((thrown: unknown) => thrown);
  expect((error as { violations: { field: string }[] }).violations.map(({ field }) => field)).toEqual([
    'reports[1].report_id',
    'reports[1].node_id',
    'reports[1].lease_token',
  ]);
  await expect(market.leases.reportLeases({ reports: [{ ...good, report: undefined }] })).rejects.toThrow(
    'reports[0].report',
  );
  expect((await market.sql.query('SELECT 1 FROM lease_report WHERE node_id = $1', [good.nodeId])).rowCount).toBe(0);
});

test('an unanswered offer is withdrawn and offered elsewhere; a refusing node is left alone for a while', async () => {
  const silent = await market.node({ priceMicros: 400_000n });
  const member = market.customer(10_000_000n);
  const { jobId } = await market.submit(member);
  const offer = await market.offered(member, jobId);
  expect(offer.nodeId).toBe(silent.nodeId);
  const other = await market.node({ priceMicros: 400_000n });
  const second = await eventually(async () => {
    const next = await market.offered(member, jobId);
    expect(next.runNumber).toBe(2);
    return next;
  });
  expect(second.nodeId).toBe(other.nodeId);
  expect((await market.report(offer, { $case: 'accepted', value: {} })).outcome).toBe('LEASE_REPORT_OUTCOME_STALE');
  expect((await market.job(member, jobId)).tasks[0]!.runs[0]).toMatchObject({
    state: 'RUN_STATE_REFUSED',
    reason: 'OFFER_UNANSWERED',
  });
}, 60_000);

test('cancelling stops what runs, keeps its time the customer’s, and finishes when the agent has confirmed', async () => {
  const node = await market.node();
  const member = market.customer(10_000_000n);
  const { jobId, offer } = await running(member, { taskCount: 3 });
  const { job } = await market.jobs.cancelJob({ requestId: randomUUID(), jobId }, { caller: member });
  expect(job).toMatchObject({ state: 'JOB_STATE_CANCELLED' });
  expect(job!.endTime).toBeUndefined();
  expect(job!.tasks.map(({ state }) => state)).toEqual(Array(3).fill('TASK_STATE_CANCELLED'));
  expect(await market.leases.getLeaseOffers({ leaseIds: [offer.leaseId] })).toMatchObject({
    offers: [],
    stops: [{ leaseId: offer.leaseId, reason: 'CANCELLED' }],
  });
  const { renewals } = await market.beat(node, [offer]);
  expect(renewals).toMatchObject([{ renewed: [], stops: [{ leaseId: offer.leaseId, reason: 'CANCELLED' }] }]);
  expect((await market.exit(offer, 'CANCELLED', 143)).outcome).toBe('LEASE_REPORT_OUTCOME_APPLIED');
  expect(await market.events(jobId)).toEqual(['1 JobQueued', '2 JobFinished']);
  expect(await market.job(member, jobId)).toMatchObject({
    state: 'JOB_STATE_CANCELLED',
    tasks: [{ runs: [{ state: 'RUN_STATE_CANCELLED', fault: 'FAULT_NONE' }] }, {}, {}],
  });
  expect((await market.sql.query('SELECT 1 FROM lease WHERE job_id = $1', [jobId])).rowCount).toBe(1);
});

test('the final task starts when all others succeeded, with their artifacts; a failing program is tried as often as asked', async () => {
  await market.node({ gpus: 2 });
  const member = market.customer(10_000_000n);
  const { jobId } = await market.submit(member, {
    taskCount: 2,
    retry: { maxRetries: 1 },
    finalTask: { command: ['join'], env: {}, outputPath: 'film' },
  });
  for (const taskIndex of [0, 1]) {
    const offer = await market.offered(member, jobId, taskIndex);
    expect(offer.command).toEqual(['run', String(taskIndex)]);
    await market.run(offer);
    if (taskIndex === 1) {
      await market.exit(offer, 'EXITED', 3);
      const retry = await market.offered(member, jobId, 1);
      expect(retry).toMatchObject({ runNumber: 2 });
      expect(retry.maxRunSeconds).toBeLessThan(61);
      await market.run(retry);
      await market.exit(retry, 'EXITED', 0, ['frame-1']);
    } else await market.exit(offer, 'EXITED', 0, ['frame-0']);
  }
  const final = await market.offered(member, jobId, 2);
  expect(final).toMatchObject({
    command: ['join'],
    outputPath: 'film',
    inputs: [{ path: 'tasks/0/frame-0' }, { path: 'tasks/1/frame-1' }],
  });
  await market.run(final);
  await market.exit(final, 'EXITED', 0, ['film.mp4']);
  expect(await market.job(member, jobId)).toMatchObject({ state: 'JOB_STATE_SUCCEEDED' });
});

test('a started agent that does not name a lease has lost it: the task is placed again at once', async () => {
  const node = await market.node();
  const member = market.customer(10_000_000n);
  const { jobId, offer } = await running(member);
  market.silence(node);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await market.leases.renewLeases({ heartbeats: [heartbeat(node.nodeId, [], true)] });
  const again = await market.offered(member, jobId);
  expect(again).toMatchObject({ runNumber: 2, nodeId: node.nodeId, leaseToken: offer.leaseToken + 1n });
  expect((await market.job(member, jobId)).tasks[0]!.runs[0]).toMatchObject({
    state: 'RUN_STATE_FAILED',
    reason: 'AGENT_RESTARTED',
    fault: 'FAULT_PROVIDER',
  });
});

test('a task that was placed and came back while the writer held an older word of it keeps counting its runs', async () => {
  const node = await market.node({ priceMicros: 500_000n });
  const member = market.customer(10_000_000n);
  const blocker = await running(member);
  const range = 'SELECT range_id FROM placement_range';
  const before = (await market.sql.query(range)).rows;
  const { jobId } = await market.submit(member);
  await market.sql.query('UPDATE task SET run_count = 1, queue_time = clock_timestamp() WHERE job_id = $1', [jobId]);
  await market.exit(blocker.offer, 'EXITED', 0, []);
  await eventually(
    async () =>
      expect((await market.job(member, jobId)).tasks[0]!.runs[0]).toMatchObject({ runNumber: 2, nodeId: node.nodeId }),
    { timeoutMs: 25_000 },
  );
  expect((await market.sql.query(range)).rows).toEqual(before);
});
