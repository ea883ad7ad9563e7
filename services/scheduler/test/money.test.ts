import { randomUUID } from 'node:crypto';
import { DomainError } from '@daya/kernel';
import { eventually } from '@daya/testing';
import { BOOT_TIMEOUT_MS, SchedulerHarness } from './harness';
import { NO_REQUIREMENTS } from './messages';

let market: SchedulerHarness;

beforeAll(async () => {
  market = await SchedulerHarness.start();
}, BOOT_TIMEOUT_MS);
beforeEach(() => market.moveOn());
afterEach(() => {
  market.billing.beforePlaceHold = () => Promise.resolve();
});
afterAll(() => market.stop(), BOOT_TIMEOUT_MS);

/** A busy machine takes its time. */
const deadlineMs = 20_000;
const refusal = (reason: string): Error => expect.objectContaining({ reason }) as Error;

test('racing submits with one request id make one job, one hold and one announcement', async () => {
  await market.node();
  const member = market.customer(10_000_000n);
  const requestId = randomUUID();
  const jobs = await Promise.all(Array.from({ length: 8 }, () => market.submit(member, {}, requestId)));
  const ids = new Set(jobs.map(({ jobId }) => jobId));
  expect(ids.size).toBe(1);
  const [jobId] = [...ids];
  expect(
    [...market.billing.holds.values()].filter(({ organisationId }) => organisationId === member.organisationId),
  ).toHaveLength(1);
  expect((await market.events(jobId!)).filter((event) => event.endsWith('JobQueued'))).toEqual(['1 JobQueued']);
  expect((await market.submit(member, {}, requestId)).jobId).toBe(jobId);
  await expect(market.submit(member, { command: ['other'] }, requestId)).rejects.toThrow(refusal('REQUEST_ID_REUSED'));
  await expect(market.submit(member, { secrets: [{ name: 'S', value: 'x' }] }, requestId)).rejects.toThrow(
    refusal('REQUEST_ID_REUSED'),
  );
});

test('a repeated request gets its job although nothing can be quoted now; a new one is refused', async () => {
  await market.node();
  const member = market.customer(10_000_000n);
  const requestId = randomUUID();
  const { jobId } = await market.submit(member, {}, requestId);
  const pricing = jest.spyOn(market.billing as never, 'priceQuote' as never);
  pricing.mockRejectedValue(new DomainError('precondition', 'PRICING_CLOSED', 'nothing is priced now') as never);
  try {
    expect((await market.submit(member, {}, requestId)).jobId).toBe(jobId);
    await expect(market.submit(member, { command: ['other'] }, requestId)).rejects.toThrow(
      refusal('REQUEST_ID_REUSED'),
    );
    await expect(market.submit(member)).rejects.toThrow(refusal('PRICING_CLOSED'));
  } finally {
    pricing.mockRestore();
  }
});

test('without funds a job is rejected, and its request id repeats the refusal even when money has come', async () => {
  await market.node();
  const member = market.customer(100n);
  const requestId = randomUUID();
  await expect(market.submit(member, {}, requestId)).rejects.toThrow(refusal('INSUFFICIENT_FUNDS'));
  market.billing.wallets.set(member.organisationId, 10_000_000n);
  await expect(market.submit(member, {}, requestId)).rejects.toThrow(refusal('INSUFFICIENT_FUNDS'));
  const { jobs } = await market.jobs.listJobs(
    { pageSize: 0, pageToken: '', projectId: '', state: 'JOB_STATE_UNSPECIFIED' as never },
    { caller: member },
  );
  expect(jobs).toMatchObject([{ state: 'JOB_STATE_REJECTED', reason: 'INSUFFICIENT_FUNDS' }]);
  expect(await market.events(jobs[0]!.jobId)).toEqual([]);
});

test('of many parallel submits with funds for one, exactly one is queued', async () => {
  await market.node();
  const member = market.customer(16_666n);
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => market.submit(member)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'INSUFFICIENT_FUNDS' });
  const { rows } = await market.sql.query(
    'SELECT state, count(*)::int AS count FROM job WHERE organisation_id = $1 GROUP BY 1 ORDER BY 1',
    [member.organisationId],
  );
  expect(rows).toEqual([
    { state: 'QUEUED', count: 1 },
    { state: 'REJECTED', count: 19 },
  ]);
});

test('a cancel during FUNDING wins: nothing is queued and the money goes back', async () => {
  await market.node();
  const member = market.customer(10_000_000n);
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  market.billing.beforePlaceHold = () => gate;
  const submitted = market.submit(member);
  const jobId = await eventually(async () => {
    const { rows } = await market.sql.query<{ job_id: string }>(
      `SELECT job_id FROM job WHERE organisation_id = $1 AND state = 'FUNDING'`,
      [member.organisationId],
    );
    expect(rows).toHaveLength(1);
    return rows[0]!.job_id;
  });
  const { job } = await market.jobs.cancelJob({ requestId: randomUUID(), jobId }, { caller: member });
  expect(job?.state).toBe('JOB_STATE_CANCELLED');
  open();
  expect((await submitted).state).toBe('JOB_STATE_CANCELLED');
  await eventually(() => expect(market.billing.wallets.get(member.organisationId)).toBe(10_000_000n));
  expect(await market.events(jobId)).toEqual([]);
  const { rows } = await market.sql.query('SELECT 1 FROM task WHERE job_id = $1', [jobId]);
  expect(rows).toEqual([]);
});

test('a cancel after the funding leaves the hold to billing, even when a slow repetition of the submit comes late', async () => {
  await market.node();
  const member = market.customer(10_000_000n);
  const requestId = randomUUID();
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  let calls = 0;
  market.billing.beforePlaceHold = () => ((calls += 1) === 1 ? gate : Promise.resolve());
  const slow = market.submit(member, {}, requestId);
  await eventually(() => expect(calls).toBe(1));
  const { jobId } = await market.submit(member, {}, requestId);
  await market.jobs.cancelJob({ requestId: randomUUID(), jobId }, { caller: member });
  open();
  expect((await slow).state).toBe('JOB_STATE_CANCELLED');
  expect(market.billing.holds.get(jobId)).toMatchObject({ released: false });
});

test('while billing is away the job stays FUNDING; the same request, or the sweep, brings it home', async () => {
  await market.node();
  const member = market.customer(10_000_000n);
  market.billing.beforePlaceHold = () => Promise.reject(new DomainError('exhausted', 'BUSY', 'not now'));
  await expect(market.submit(member)).rejects.toThrow();
  const state = async (): Promise<string | undefined> =>
    (
      await market.sql.query<{ state: string }>('SELECT state FROM job WHERE organisation_id = $1', [
        member.organisationId,
      ])
    ).rows[0]?.state;
  expect(await state()).toBe('FUNDING');
  market.billing.beforePlaceHold = () => Promise.resolve();
  await market.sql.query(`UPDATE job SET create_time = create_time - interval '1 minute' WHERE organisation_id = $1`, [
    member.organisationId,
  ]);
  await eventually(async () => expect(await state()).not.toBe('FUNDING'));
});

test('a quote is submitted once, in its time, by its owner', async () => {
  await market.node();
  const member = market.customer(10_000_000n);
  const requestId = randomUUID();
  const ask = () =>
    market.jobs.getQuote(
      { requestId, projectId: member.projectId, spec: market.aSpec({ taskCount: 3 }) },
      { caller: member, deadlineMs },
    );
  const { quote } = await ask();
  expect((await ask()).quote).toEqual(quote);
  expect(quote).toMatchObject({ totalMicros: 50_000n, tasks: [{ taskIndex: 0 }, { taskIndex: 1 }, { taskIndex: 2 }] });
  const submit = (caller = member, id = randomUUID()) =>
    market.jobs.submitJob(
      { requestId: id, projectId: '', quoteId: quote!.quoteId, spec: undefined },
      { caller, deadlineMs },
    );
  await expect(submit(market.customer(1n))).rejects.toThrow(refusal('QUOTE_NOT_FOUND'));
  const { job } = await submit();
  expect(job).toMatchObject({ quoteId: quote!.quoteId, quoteMicros: 50_000n, projectId: member.projectId });
  await expect(submit()).rejects.toThrow(refusal('QUOTE_USED'));
  const old = await market.jobs.getQuote(
    { requestId: randomUUID(), projectId: member.projectId, spec: market.aSpec() },
    { caller: member, deadlineMs },
  );
  await market.sql.query(`UPDATE quote SET expire_time = now() - interval '1 second' WHERE quote_id = $1`, [
    old.quote!.quoteId,
  ]);
  await expect(
    market.jobs.submitJob(
      { requestId: randomUUID(), projectId: '', quoteId: old.quote!.quoteId, spec: undefined },
      { caller: member, deadlineMs },
    ),
  ).rejects.toThrow(refusal('QUOTE_EXPIRED'));
});

test('refusals name the reason: another’s project, no offer, every violated field at once', async () => {
  await market.node();
  const member = market.customer(10_000_000n);
  const stranger = market.customer(10_000_000n);
  await expect(market.submit({ ...member, projectId: stranger.projectId })).rejects.toThrow(
    refusal('PROJECT_NOT_FOUND'),
  );
  await expect(market.submit(member, { requirements: { ...NO_REQUIREMENTS, gpuModelIds: ['h200'] } })).rejects.toThrow(
    refusal('NO_FEASIBLE_OFFER'),
  );
  const invalid = await market
    .submit(member, { command: [], maxRunSeconds: -1 }, randomUUID())
    .catch((error: unknown) => error);
  expect((invalid as { violations: { field: string }[] }).violations.map(({ field }) => field)).toEqual([
    'spec.command',
    'spec.max_run_seconds',
  ]);
});
