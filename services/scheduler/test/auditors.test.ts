import { randomUUID } from 'node:crypto';
import type { LeaseOffer } from '@daya/proto/scheduler';
import { BOOT_TIMEOUT_MS, SchedulerHarness } from './harness';
import type { TestGpuNode } from './messages';

let market: SchedulerHarness;
let node: TestGpuNode;
let offer: LeaseOffer;
let done: LeaseOffer;

beforeAll(async () => {
  market = await SchedulerHarness.start();
  node = await market.node({ gpus: 2 });
  const member = market.customer(10_000_000n);
  const first = await market.submit(member);
  done = await market.offered(member, first.jobId);
  await market.run(done);
  await market.exit(done, 'EXITED', 0, ['out.txt']);
  const second = await market.submit(member);
  offer = await market.offered(member, second.jobId);
  await market.run(offer);
}, BOOT_TIMEOUT_MS);
afterAll(() => market.stop(), BOOT_TIMEOUT_MS);

/** Violations found once `plant` has run; nothing of it stays. */
async function found(auditor: string, ...plant: string[]): Promise<string[]> {
  await market.sql.query('BEGIN');
  try {
    for (const statement of plant) await market.sql.query(statement);
    const { rows } = await market.sql.query<{ detail: string }>(`SELECT * FROM ${auditor}`);
    return rows.map(({ detail }) => detail);
  } finally {
    await market.sql.query('ROLLBACK');
  }
}

const copyOf = (leaseId: string, changes: Record<string, string>): string =>
  `INSERT INTO lease SELECT (jsonb_populate_record(l, '${JSON.stringify(changes)}')).* FROM lease l WHERE lease_id = '${leaseId}'`;
const copyRun = (leaseId: string, changes: Record<string, string>): string =>
  `INSERT INTO run SELECT (jsonb_populate_record(r, '${JSON.stringify(changes)}')).* FROM run r WHERE lease_id = '${leaseId}'`;
const copyRenewal = (leaseId: string, to: string): string =>
  `INSERT INTO lease_renewal SELECT '${to}', expire_time FROM lease_renewal WHERE lease_id = '${leaseId}'`;

test('on what really happened no auditor finds anything, under the audit role too', async () => {
  for (const auditor of [
    'audit_s1(0)',
    'audit_s2(0)',
    'audit_s3(0)',
    `audit_s6(0, ARRAY['${offer.leaseId}']::uuid[])`,
    'audit_s7(0)',
  ]) {
    expect(await found(auditor)).toEqual([]);
  }
  await market.sql.query('SET ROLE scheduler_audit');
  expect((await market.sql.query('SELECT * FROM audit_s2(0)')).rows).toEqual([]);
  expect(
    (await market.sql.query<{ count: number }>('SELECT count(*)::int AS count FROM audited_lease')).rows[0]!.count,
  ).toBe(2);
  await market.sql.query('RESET ROLE');
});

test('S1 finds two live leases of one task, and a running task without one', async () => {
  const twin = randomUUID();
  const plant = copyOf(offer.leaseId, { lease_id: twin, lease_token: '99', run_number: '2' });
  expect(await found('audit_s1(0)', 'DROP INDEX lease_task_open', plant)).toEqual(['2 live leases']);
  expect(
    await found(
      'audit_s1(0)',
      `UPDATE lease SET end_time = now(), closed_at = now() WHERE lease_id = '${offer.leaseId}'`,
    ),
  ).toEqual(['is RUNNING without a live lease']);
});

test('S2 finds a GPU sold twice, and a GPU row that disagrees', async () => {
  const twin = randomUUID();
  const plants = [
    'DROP INDEX lease_task_open',
    copyOf(offer.leaseId, { lease_id: twin, lease_token: '99', run_number: '2' }),
    copyRun(offer.leaseId, { lease_id: twin, run_number: '2' }),
    copyRenewal(offer.leaseId, twin),
  ];
  expect((await found('audit_s2(0)', ...plants)).join()).toContain('overlap');
  expect(
    (await found('audit_s2(0)', `UPDATE lease_gpu SET closed_at = now() WHERE lease_id = '${offer.leaseId}'`)).join(),
  ).toContain('do not agree');
});

test('S3 finds a result under a stale token, two results, a gap in the run numbers, and foreign artifacts', async () => {
  expect(
    (
      await found('audit_s3(0)', `UPDATE lease_report SET lease_token = 1000 WHERE lease_id = '${done.leaseId}'`)
    ).join(),
  ).toContain('under token 1000');
  const twin = randomUUID();
  const second = [
    copyOf(done.leaseId, { lease_id: twin, lease_token: '99', run_number: '2' }),
    copyRun(done.leaseId, { lease_id: twin, run_number: '2' }),
  ];
  const both = await found(
    'audit_s3(0)',
    ...second,
    `UPDATE lease_report SET record_time = now() + interval '1 hour' WHERE lease_id = '${done.leaseId}'`,
  );
  expect(both.join()).toContain('2 accepted results');
  expect(both.join()).toContain('a later run was granted before');
  expect(
    (await found('audit_s3(0)', `UPDATE lease SET run_number = 3 WHERE lease_id = '${done.leaseId}'`)).join(),
  ).toContain('gap');
  expect(
    (await found('audit_s3(0)', `UPDATE run SET state = 'LOST' WHERE lease_id = '${done.leaseId}'`)).join(),
  ).toContain('did not succeed');
});

test('S6 finds a bell for no lease, and an offer that nobody rings for', async () => {
  expect(await found(`audit_s6(0, ARRAY['${randomUUID()}']::uuid[])`)).toEqual(['is in Redis and is no lease']);
  const forgotten = [
    `UPDATE run SET state = 'OFFERED' WHERE lease_id = '${offer.leaseId}'`,
    `UPDATE lease SET answer_time = now() - interval '1 minute' WHERE lease_id = '${offer.leaseId}'`,
  ];
  expect(await found('audit_s6(0, ARRAY[]::uuid[])', ...forgotten)).toEqual(['is offered, unanswered and in no queue']);
  expect(await found(`audit_s6(0, ARRAY['${offer.leaseId}']::uuid[])`, ...forgotten)).toEqual([]);
});

test('S7 finds more leased than a node has, and a paid lease on a node that is not admitted', async () => {
  expect(
    (await found('audit_s7(0)', `UPDATE node_view SET cpu_milli = 500 WHERE node_id = '${node.nodeId}'`)).join(),
  ).toContain('more than the node has');
  const plant = `UPDATE node_view SET admitted = false WHERE node_id = '${node.nodeId}'`;
  expect((await found('audit_s7(0)', plant)).join()).toContain('not admitted');
  expect(
    await found('audit_s7(0)', plant, `UPDATE lease SET canary = true WHERE lease_id = '${offer.leaseId}'`),
  ).toEqual([]);
});

test('the constraints refuse a second live lease, a GPU sold twice, a token used twice; a granted lease cannot be rewritten', async () => {
  const twin = { lease_id: randomUUID(), lease_token: '99', run_number: '2' };
  await expect(market.sql.query(copyOf(offer.leaseId, twin))).rejects.toMatchObject({ constraint: 'lease_task_open' });
  await expect(
    market.sql.query(copyOf(done.leaseId, { ...twin, lease_token: String(offer.leaseToken) })),
  ).rejects.toMatchObject({ constraint: 'lease_token_once' });
  const [gpu] = offer.gpuUuids;
  const sellAgain = market.sql.query('UPDATE lease_gpu SET closed_at = NULL, gpu_uuid = $1 WHERE lease_id = $2', [
    gpu,
    done.leaseId,
  ]);
  await expect(sellAgain).rejects.toMatchObject({ constraint: 'lease_gpu_open' });
  await market.sql.query('SET ROLE scheduler_system');
  await expect(market.sql.query('UPDATE lease SET price_micros_per_gpu_hour = 0')).rejects.toMatchObject({
    code: '42501',
  });
  await expect(market.sql.query('DELETE FROM lease_report')).rejects.toMatchObject({ code: '42501' });
  await market.sql.query('RESET ROLE');
});
