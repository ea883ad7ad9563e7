import { randomUUID } from 'node:crypto';
import { loadConfig, type RunningService } from '@daya/nest';
import { NodeChanged } from '@daya/proto/registry';
import { eventually, testDatabase, testIdentity, testKafka, type TestDatabase, type TestIdentity } from '@daya/testing';
import { Client } from 'pg';
import { MIGRATIONS } from '../src/adapters/postgres/migrations';
import { configSchema } from '../src/config';
import { startMetering } from '../src/main';
import { aLease, aTick, Market } from './market';

let database: TestDatabase;
let identity: TestIdentity;
let service: RunningService;
let market: Market;
let audit: Client;

beforeAll(async () => {
  database = await testDatabase('metering', MIGRATIONS);
  identity = await testIdentity(['metering']);
  const kafka = testKafka();
  market = new Market(kafka.connect('test'));
  await market.open();
  const ports = { GRPC_PORT: '0', ADMIN_PORT: '0', BIND_ADDRESS: '127.0.0.1', LOG_LEVEL: 'error' };
  const config = loadConfig(configSchema, { ...ports, ...database.env, ...kafka.env, ...identity.env('metering') });
  service = await startMetering(config, { ownsProcess: false });
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

const windowOf = async (leaseId: string): Promise<{ billable_ms: string; mscu_ms: string } | undefined> => {
  const sql = 'SELECT billable_ms, mscu_ms FROM usage_window WHERE lease_id = $1 AND final';
  return (await audit.query<{ billable_ms: string; mscu_ms: string }>(sql, [leaseId])).rows[0];
};

test('a rating that comes after the lease and its usage gives the same measure', async () => {
  const nodeId = randomUUID();
  const signer = await identity.node(nodeId);
  const lease = aLease(nodeId);
  const start = Date.now() - 20_000;
  await market.certify(nodeId, signer);
  await market.granted(lease, start - 100);
  await market.started(lease, start);
  await market.ended(lease, start, start + 10_000);
  const ticks = [aTick(lease, 10_000, true)];
  await market.ticks(nodeId, signer, { bootId: randomUUID(), firstSequence: 1n, ticks, receiveMs: start + 10_010 });
  await eventually(async () => expect(await windowOf(lease.leaseId)).toEqual({ billable_ms: '10000', mscu_ms: '0' }));
  const news = NodeChanged.fromPartial({ node: { nodeId }, mscuByGpuModel: { 'rtx-4090': 1_500 } });
  await market.send('daya.registry.nodes', nodeId, NodeChanged.$type, NodeChanged.encode(news).finish());
  await eventually(async () =>
    expect(await windowOf(lease.leaseId)).toEqual({ billable_ms: '10000', mscu_ms: '15000000' }),
  );
}, 60_000);

test('what a node said before its revocation counts, also when the news of the revocation came first', async () => {
  const nodeId = randomUUID();
  const signer = await identity.node(nodeId);
  const lease = aLease(nodeId);
  const start = Date.now() - 20_000;
  await market.certify(nodeId, signer);
  await market.revoke(nodeId);
  await eventually(async () => {
    const { rowCount } = await audit.query('SELECT 1 FROM node_key WHERE node_id = $1 AND revoke_time > $2', [
      nodeId,
      new Date(start),
    ]);
    expect(rowCount).toBe(1);
  });
  await market.granted(lease, start - 100);
  await market.started(lease, start);
  await market.ended(lease, start, start + 10_000);
  const ticks = [aTick(lease, 10_000, true)];
  await market.ticks(nodeId, signer, { bootId: randomUUID(), firstSequence: 1n, ticks, receiveMs: start + 10_010 });
  await eventually(async () => expect(await windowOf(lease.leaseId)).toMatchObject({ billable_ms: '10000' }));
}, 60_000);
