import { randomUUID } from 'node:crypto';
import { createClient, Identity, loadConfig, type GrpcClient, type RunningService } from '@daya/nest';
import { MeteringServiceService, type UsageRecord } from '@daya/proto/metering';
import { RunState, type LeaseTerms } from '@daya/proto/scheduler';
import {
  eventually,
  testDatabase,
  testIdentity,
  testKafka,
  type TestDatabase,
  type TestIdentity,
  type TestNode,
} from '@daya/testing';
import { Client } from 'pg';
import { METERING_AUDITORS, MIGRATIONS } from '../src/adapters/postgres/migrations';
import { configSchema } from '../src/config';
import { startMetering } from '../src/main';
import { aLease, aTick, Market } from './market';

const NODE = randomUUID();
let database: TestDatabase;
let identity: TestIdentity;
let service: RunningService;
let market: Market;
let node: TestNode;
let client: GrpcClient<typeof MeteringServiceService>;
let audit: Client;
let gateway: Identity;

beforeAll(async () => {
  database = await testDatabase('metering', MIGRATIONS);
  identity = await testIdentity(['metering', 'gateway']);
  const kafka = testKafka();
  market = new Market(kafka.connect('test'));
  await market.open();
  const ports = { GRPC_PORT: '0', ADMIN_PORT: '0', BIND_ADDRESS: '127.0.0.1', LOG_LEVEL: 'error' };
  const config = loadConfig(configSchema, { ...ports, ...database.env, ...kafka.env, ...identity.env('metering') });
  service = await startMetering(config, { ownsProcess: false });
  const own = identity.env('gateway');
  gateway = new Identity({ service: 'gateway', keyFile: own.IDENTITY_KEY_FILE, jwksFile: own.JWKS_FILE });
  client = createClient(MeteringServiceService, {
    url: `localhost:${service.ports['grpc']}`,
    audience: 'metering',
    identity: gateway,
    tls: { ca: identity.ca },
  });
  node = await identity.node(NODE);
  await market.certify(NODE, node);
  audit = new Client({ connectionString: database.auditUrl });
  await audit.connect();
}, 60_000);

afterAll(async () => {
  await audit?.end();
  await service?.stop();
  await market?.close();
  await database?.drop();
  identity?.remove();
});

const asMember = (organisationId: string, operator = false) => ({
  caller: {
    kind: 'member' as const,
    organisationId,
    role: 'viewer' as const,
    scopes: ['billing:read'],
    keyId: 'key',
    operator,
  },
});

const usageOf = async (lease: LeaseTerms): Promise<UsageRecord[]> =>
  (await client.listUsage({ jobId: lease.jobId, pageSize: 0, pageToken: '' }, asMember(lease.organisationId))).usage;

const settled = (lease: LeaseTerms, last: Partial<UsageRecord> = {}) =>
  eventually(async () => {
    const usage = await usageOf(lease);
    expect(usage.at(-1)).toMatchObject({ final: true, ...last });
    return usage;
  });

async function runsFor(lease: LeaseTerms, startMs: number, endMs: number, state?: RunState): Promise<void> {
  await market.granted(lease, startMs - 100);
  await market.started(lease, startMs);
  await market.ended(lease, startMs, endMs, state);
}

const noViolations = async (): Promise<void> => {
  for (const auditor of METERING_AUDITORS) expect((await audit.query(`SELECT * FROM ${auditor}(0)`)).rows).toEqual([]);
};

test('both witnesses agree: one final record, billable is the agent’s word when it is lower', async () => {
  const lease = aLease(NODE);
  const start = Date.now() - 20_000;
  const bootId = randomUUID();
  await runsFor(lease, start, start + 15_000);
  await market.ticks(NODE, node, {
    bootId,
    firstSequence: 1n,
    ticks: [aTick(lease, 10_000), aTick(lease, 14_900, true)],
    receiveMs: start + 15_010,
  });
  const usage = await settled(lease);
  expect(usage).toHaveLength(1);
  expect(usage[0]).toMatchObject({
    billableMs: 14_900n,
    cumulativeBillableMs: 14_900n,
    schedulerMs: 15_000n,
    estimated: false,
  });
  await noViolations();
});

test('ticks that come before any news of their lease wait for it; replayed blocks change nothing', async () => {
  const lease = aLease(NODE);
  const start = Date.now() - 20_000;
  const block = {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [aTick(lease, 9_000, true)],
    receiveMs: start + 9_010,
  };
  await market.ticks(NODE, node, block);
  await market.ticks(NODE, node, block);
  await runsFor(lease, start, start + 9_005);
  const [first] = await settled(lease);
  await market.ticks(NODE, node, block);
  await market.ticks(NODE, node, { ...block, bootId: randomUUID(), ticks: [aTick(lease, 8_000)] });
  await eventually(async () => expect(await refusedReasons(lease)).toEqual(['COUNTER_WENT_BACK']));
  expect(await usageOf(lease)).toEqual([first]);
  await noViolations();
});

const refusedReasons = async (lease: LeaseTerms): Promise<string[]> => {
  const { ticks } = await client.listRefusedTicks(
    { pageSize: 200, pageToken: '', nodeId: lease.nodeId },
    asMember(randomUUID(), true),
  );
  return ticks.filter((tick) => tick.leaseId === lease.leaseId).map((tick) => tick.reason);
};

test('an agent that doubles its counter is paid the scheduler’s time, and a discrepancy is opened for both parties', async () => {
  const lease = aLease(NODE);
  const start = Date.now() - 60_000;
  await runsFor(lease, start, start + 30_000);
  await market.ticks(NODE, node, {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [aTick(lease, 60_000, true)],
    receiveMs: start + 30_001,
  });
  expect((await settled(lease)).at(-1)).toMatchObject({ billableMs: 30_000n });
  for (const party of [lease.organisationId, lease.providerOrganisationId]) {
    const { discrepancies } = await client.listDiscrepancies({ pageSize: 0, pageToken: '' }, asMember(party));
    expect(discrepancies).toMatchObject([
      { leaseId: lease.leaseId, schedulerMs: 30_000n, agentMs: 60_000n, chargedMs: 30_000n },
    ]);
  }
});

test('stale tokens, foreign nodes, wrong keys and words after a lost lease are recorded and count zero', async () => {
  const lease = aLease(NODE);
  const start = Date.now() - 60_000;
  const receiveMs = start + 1_000;
  const other = randomUUID();
  const otherNode = await identity.node(other);
  await market.certify(other, otherNode);
  await market.ticks(NODE, node, {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [{ ...aTick(lease, 5_000), leaseToken: 4n }],
    receiveMs,
  });
  await market.ticks(other, otherNode, {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [aTick(lease, 5_000)],
    receiveMs,
  });
  await market.ticks(NODE, otherNode, {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [aTick(lease, 5_000)],
    receiveMs,
  });
  await runsFor(lease, start, start + 20_000, RunState.LOST);
  await market.ticks(NODE, node, {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [aTick(lease, 19_000, true)],
    receiveMs: start + 20_001,
  });
  await eventually(async () =>
    expect((await refusedReasons(lease)).sort()).toEqual(['BAD_SIGNATURE', 'LEASE_ENDED', 'STALE_TOKEN']),
  );
  const { ticks } = await client.listRefusedTicks(
    { pageSize: 0, pageToken: '', nodeId: other },
    asMember(randomUUID(), true),
  );
  expect(ticks.map((tick) => tick.reason)).toEqual(['NOT_THIS_NODE']);
  expect((await usageOf(lease)).every((record) => record.billableMs === 0n)).toBe(true);
});

test('a place in a boot’s sequence belongs to the tick that had it first', async () => {
  const lease = aLease(NODE);
  const start = Date.now() - 20_000;
  const block = {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [aTick(lease, 4_000, true)],
    receiveMs: start + 4_000,
  };
  await runsFor(lease, start, start + 4_000);
  await market.ticks(NODE, node, block);
  await settled(lease);
  await market.ticks(NODE, node, { ...block, ticks: [aTick(lease, 3_999_000, true)] });
  await eventually(async () => expect(await refusedReasons(lease)).toEqual(['SEQUENCE_REUSED']));
  expect((await usageOf(lease)).at(-1)).toMatchObject({ billableMs: 4_000n, version: 1 });
});

/** As if the end had been heard when it came, and not now: the agent's patience is over. */
const heardInTime = (lease: LeaseTerms): Promise<void> =>
  eventually(async () => {
    const owner = new Client({ connectionString: database.superUrl });
    await owner.connect();
    const { rowCount } = await owner
      .query(
        `UPDATE lease SET end_heard_time = end_time, due_time = now() WHERE lease_id = $1 AND end_heard_time IS NOT NULL`,
        [lease.leaseId],
      )
      .finally(() => owner.end());
    expect(rowCount).toBe(1);
  });

test('ticks that an outage held back for longer than the patience are waited for, although the end is long past', async () => {
  const lease = aLease(NODE);
  const start = Date.now() - 4_000_000;
  await runsFor(lease, start, start + 30_000);
  await eventually(async () => {
    const { rows } = await audit.query<{ waits: boolean }>(
      'SELECT due_time > now() AND end_heard_time IS NOT NULL AS waits FROM lease WHERE lease_id = $1',
      [lease.leaseId],
    );
    expect(rows).toEqual([{ waits: true }]);
  });
  // Its start came alone and long ago, so a window may have been estimated by then; none of them is the last word.
  expect((await usageOf(lease)).filter((record) => record.final)).toEqual([]);
  await market.ticks(NODE, node, {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [aTick(lease, 10_000), aTick(lease, 29_000, true)],
    receiveMs: Date.now(),
  });
  expect(await settled(lease, { billableMs: 29_000n, estimated: false })).toHaveLength(1);
  await noViolations();
});

test('a silent agent’s lease is closed as estimated, and its late word corrects the record', async () => {
  const lease = aLease(NODE);
  const start = Date.now() - 400_000;
  const bootId = randomUUID();
  await market.granted(lease, start - 100);
  await market.started(lease, start);
  await market.ticks(NODE, node, {
    bootId,
    firstSequence: 1n,
    ticks: [aTick(lease, 10_000)],
    receiveMs: start + 10_000,
  });
  await market.ended(lease, start, start + 30_000);
  await heardInTime(lease);
  await settled(lease, { billableMs: 10_000n, estimated: true });
  await market.ticks(NODE, node, {
    bootId,
    firstSequence: 2n,
    ticks: [aTick(lease, 29_000, true)],
    receiveMs: Date.now(),
  });
  await settled(lease, { billableMs: 29_000n, estimated: false });
  await noViolations();
});

test('a foreign organisation sees nothing, and a member may not read refused ticks', async () => {
  const lease = aLease(NODE);
  const start = Date.now() - 20_000;
  await runsFor(lease, start, start + 5_000);
  await market.ticks(NODE, node, {
    bootId: randomUUID(),
    firstSequence: 1n,
    ticks: [aTick(lease, 5_000, true)],
    receiveMs: start + 5_000,
  });
  await settled(lease);
  const foreign = await client.listUsage({ jobId: lease.jobId, pageSize: 0, pageToken: '' }, asMember(randomUUID()));
  expect(foreign.usage).toEqual([]);
  const asked = client.listRefusedTicks({ pageSize: 0, pageToken: '', nodeId: '' }, asMember(lease.organisationId));
  await expect(asked).rejects.toMatchObject({ reason: 'OPERATOR_ONLY' });
});

test('a revoked node’s signatures count nothing from then on', async () => {
  const revoked = randomUUID();
  const signer = await identity.node(revoked);
  const lease = aLease(revoked);
  await market.certify(revoked, signer);
  await market.revoke(revoked);
  await eventually(async () => {
    await market.ticks(revoked, signer, {
      bootId: randomUUID(),
      firstSequence: 1n,
      ticks: [aTick(lease, 1_000)],
      receiveMs: Date.now(),
    });
    expect(await refusedReasons(lease)).toContain('NODE_REVOKED');
  });
});

test('each auditor finds its planted violation', async () => {
  const owner = new Client({ connectionString: database.superUrl });
  await owner.connect();
  const lease = randomUUID();
  await owner.query(
    `INSERT INTO lease (lease_id, lease_token, node_id, organisation_id, provider_organisation_id, job_id, gpu_milli, mscu, start_time, expire_time, end_time)
     VALUES ($1, 1, $1, $1, $1, $1, 1000, 0, now() - interval '100 s', now(), now() - interval '50 s')`,
    [lease],
  );
  const window = `INSERT INTO usage_window (lease_id, window_start, window_end, version, usage_id, scheduler_ms, agent_ms, billable_ms,
      agent_cumulative_ms, billable_cumulative_ms, mscu_ms, final, estimated)
    VALUES ($1, now() - make_interval(secs => $2), now() - make_interval(secs => $3), 1, gen_random_uuid(), 0, 0, 0, 0, $4, 0, false, false)`;
  await owner.query(window, [lease, 100, 80, 0]);
  await owner.query(window, [lease, 90, 70, 20_000]);
  for (const auditor of METERING_AUDITORS) {
    const { rows } = await audit.query(`SELECT lease_id FROM ${auditor}(0)`);
    expect(rows.map((row: { lease_id: string }) => row.lease_id)).toContain(lease);
  }
  await owner.end();
});
