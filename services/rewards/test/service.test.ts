import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Caller } from '@daya/kernel';
import { toWire, type Kafka, type KafkaPublisher } from '@daya/messaging';
import { Identity, createClient, loadConfig, type GrpcClient, type RunningService } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import { ChargePosted } from '@daya/proto/billing';
import {
  AdmissionState,
  Connectivity,
  NodeChanged,
  OfferChanged,
  OfferState,
  UnschedulableReason,
} from '@daya/proto/registry';
import { EpochClosed, RewardsServiceService, type Epoch } from '@daya/proto/rewards';
import { eventually, testDatabase, testIdentity, testKafka, type TestDatabase, type TestIdentity } from '@daya/testing';
import { Client } from 'pg';
import { runCommand } from '../src/adapters/cli/run-command';
import { MIGRATIONS } from '../src/adapters/postgres/migrations';
import { configSchema } from '../src/config';
import { verifyProof } from '../src/domain/merkle-tree';
import { startRewards } from '../src/start';

const EPOCH_SECONDS = 2;
const NODE = '01900000-0000-7000-8000-0000000000aa';
const PROVIDER = '01900000-0000-7000-8000-0000000000bb';
const MEMBER: Caller = {
  kind: 'member',
  organisationId: '01900000-0000-7000-8000-0000000000cc',
  role: 'viewer',
  scopes: ['rewards:read'],
  keyId: 'k',
  operator: false,
};
const CALL = { deadlineMs: 5_000, caller: MEMBER };

const folder = mkdtempSync(join(tmpdir(), 'daya-rewards-service-'));
const kafka = testKafka();
let database: TestDatabase;
let identity: TestIdentity;
let running: RunningService;
let client: GrpcClient<typeof RewardsServiceService>;
let broker: Kafka;
let publisher: KafkaPublisher;

beforeAll(async () => {
  database = await testDatabase('rewards', MIGRATIONS);
  identity = await testIdentity(['rewards', 'gateway']);
  running = await startRewards(config(), { ownsProcess: false });
  const env = identity.env('gateway');
  client = createClient(RewardsServiceService, {
    url: `127.0.0.1:${running.ports['grpc']}`,
    audience: 'rewards',
    identity: new Identity({ service: 'gateway', keyFile: env.IDENTITY_KEY_FILE, jwksFile: env.JWKS_FILE }),
    tls: { ca: readFileSync(join(identity.folder, 'ca.pem')) },
  });
  broker = kafka.connect('registry');
  publisher = broker.producer();
}, 60_000);

afterAll(async () => {
  client?.onModuleDestroy();
  await publisher?.stop();
  await running?.stop();
  await database?.drop();
  identity?.remove();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

function config() {
  return loadConfig(configSchema, {
    ...database.env,
    ...kafka.env,
    ...identity.env('rewards'),
    GRPC_PORT: '0',
    ADMIN_PORT: '0',
    BIND_ADDRESS: '127.0.0.1',
    LOG_LEVEL: 'silent',
    EPOCH_SECONDS: String(EPOCH_SECONDS),
    EPOCH_GRACE_SECONDS: '1',
    REWARD_PARAMETERS_FILE: join(__dirname, '../parameters/demo.json'),
    PUBLICATION_FOLDER: join(folder, 'publication'),
  });
}

let sent = 0;
async function publish(
  topic: string,
  key: string,
  type: string,
  payload: Uint8Array,
  aggregateVersion?: bigint,
): Promise<void> {
  sent += 1;
  const id = `01900000-0000-7000-9000-${String(sent).padStart(12, '0')}`;
  await publisher.publish(topic, [
    toWire({ id, type, key, payload, aggregateVersion, time: new Date(), source: 'test', headers: {} }),
  ]);
}

async function publishNode(): Promise<void> {
  const node = {
    nodeId: NODE,
    providerId: PROVIDER,
    region: 'eu-central',
    emulated: true,
    inventory: { gpus: [{ index: 0, uuid: 'GPU-1', gpuModelId: 'rtx-4090' }] },
    connectivity: Connectivity.ONLINE,
    schedulable: true,
    unschedulableReason: UnschedulableReason.UNSPECIFIED,
    admissionState: AdmissionState.ADMITTED,
    version: 1n,
  };
  const changed = NodeChanged.encode(NodeChanged.fromPartial({ node, mscuByGpuModel: { 'rtx-4090': 1_000 } })).finish();
  await publish('daya.registry.nodes', NODE, NodeChanged.$type, changed, 1n);
  const offer = {
    offerId: 'offer-1',
    nodeId: NODE,
    providerId: PROVIDER,
    gpuModelId: 'rtx-4090',
    gpuCount: 1,
    state: OfferState.OPEN,
    version: 1n,
  };
  await publish(
    'daya.registry.offers',
    'offer-1',
    OfferChanged.$type,
    OfferChanged.encode(OfferChanged.fromPartial({ offer })).finish(),
    1n,
  );
}

const publishCharge = (chargeId: string): Promise<void> =>
  publish(
    'daya.billing.charges',
    'job-1',
    ChargePosted.$type,
    ChargePosted.encode(
      ChargePosted.fromPartial({
        chargeId,
        jobId: 'job-1',
        providerId: PROVIDER,
        nodeId: NODE,
        gpuModelId: 'rtx-4090',
        emulated: true,
        asset: 'USD',
        feeMicros: 1_000n,
        billableMs: 1_000n,
        gpuMilli: 1_000,
        postTime: toTimestamp(new Date()),
      }),
    ).finish(),
  );

/** The epoch of DAYA_TEST that paid the provider for work. */
async function epochWithWork(): Promise<Epoch> {
  const rows = await sql<{ epoch: string | null }>(`SELECT epoch FROM charge WHERE charge_id = 'charge-1'`);
  const number = rows[0]?.epoch;
  if (number === undefined || number === null) throw new Error('the charge is not in an epoch yet');
  const { epoch } = await client.getEpoch({ number: BigInt(number), asset: 'DAYA_TEST' }, CALL);
  if (epoch === undefined) throw new Error('no epoch');
  return epoch;
}

async function sql<T>(text: string): Promise<T[]> {
  const connection = new Client({ connectionString: database.superUrl });
  await connection.connect();
  try {
    return (await connection.query(text)).rows as T[];
  } finally {
    await connection.end();
  }
}

test('events of other services become an epoch that can be read, proved and recomputed', async () => {
  await publishNode();
  await publishCharge('charge-1');
  await publishCharge('charge-1');
  const epoch = await eventually(epochWithWork, { timeoutMs: 20_000, everyMs: 200 });
  expect(epoch).toMatchObject({
    asset: 'DAYA_TEST',
    root: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    topOwnerShareBps: 10_000,
    hhi: 10_000,
  });
  expect(epoch.awarded + epoch.unissued).toBe(epoch.emission);

  const { rewards } = await client.listRewards(
    { number: epoch.number, asset: 'DAYA_TEST', pageSize: 0, pageToken: '' },
    CALL,
  );
  const reward = rewards.find((row) => row.account === PROVIDER);
  expect(reward?.amount).toBeGreaterThan(0n);
  expect(rewards.map((row) => row.account).sort()).toEqual([PROVIDER, 'insurance'].sort());

  const proof = await client.getRewardProof({ number: epoch.number, asset: 'DAYA_TEST', account: PROVIDER }, CALL);
  expect(verifyProof(epoch.root, Uint8Array.from(Buffer.from(proof.leaf.slice(2), 'hex')), proof.proof)).toBe(true);
  expect(proof).toMatchObject({
    root: epoch.root,
    address: reward?.address,
    cumulativeVested: reward?.cumulativeVested,
  });

  const path = join(folder, 'publication', epoch.manifestPath);
  expect(await runCommand(['verify', path])).toMatchObject({ exitCode: 0 });
  expect(await runCommand(['verify', join(folder, 'publication')])).toMatchObject({ exitCode: 0 });

  const events = await sql<{ payload: Buffer }>(`SELECT payload FROM outbox WHERE key = 'DAYA_TEST' ORDER BY position`);
  expect(
    events.map(({ payload }) => EpochClosed.decode(payload).epoch).filter((row) => row?.number === epoch.number),
  ).toEqual([epoch]);
}, 60_000);

test('an event that cannot be read is set aside, and what comes after it counts', async () => {
  await publish('daya.billing.charges', 'job-1', ChargePosted.$type, Buffer.from([0xff, 0xff, 0xff]));
  const unstorable = ChargePosted.fromPartial({
    chargeId: 'charge\0',
    jobId: 'j',
    providerId: 'p',
    nodeId: 'n',
    gpuModelId: 'g',
    asset: 'USD',
    postTime: toTimestamp(new Date()),
  });
  await publish('daya.billing.charges', 'job-1', ChargePosted.$type, ChargePosted.encode(unstorable).finish());
  await publish('daya.billing.charges', 'job-1', 'daya.billing.v9.Unknown', Buffer.from([1]));
  await publishCharge('charge-2');
  await eventually(async () => expect(await sql(`SELECT 1 FROM charge WHERE charge_id = 'charge-2'`)).toHaveLength(1));
  const refused = { type: ChargePosted.$type, topic: 'daya.billing.charges' };
  expect(await sql(`SELECT type, topic FROM refused_event`)).toEqual([refused, refused]);
});

test('epochs are listed newest first, page by page, of one asset or both', async () => {
  await eventually(
    async () =>
      expect(
        (await client.listEpochs({ pageSize: 10, pageToken: '', asset: '' }, CALL)).epochs.length,
      ).toBeGreaterThanOrEqual(4),
    { timeoutMs: 20_000 },
  );
  const first = await client.listEpochs({ pageSize: 2, pageToken: '', asset: '' }, CALL);
  const second = await client.listEpochs({ pageSize: 2, pageToken: first.nextPageToken, asset: '' }, CALL);
  const keys = [...first.epochs, ...second.epochs].map((row) => `${row.number}/${row.asset}`);
  expect(new Set(keys).size).toBe(4);
  expect(keys).toEqual([...keys].sort().reverse());
  const one = await client.listEpochs({ pageSize: 1, pageToken: '', asset: 'DAYA' }, CALL);
  expect(one.epochs.map((row) => row.asset)).toEqual(['DAYA']);
  await expect(
    client.listEpochs({ pageSize: 2, pageToken: first.nextPageToken, asset: 'DAYA' }, CALL),
  ).rejects.toMatchObject({ violations: [{ field: 'page_token', reason: 'PAGE_TOKEN_INVALID' }] });
});

test.each([
  ['getEpoch', { number: -1n, asset: 'USD' }, ['number', 'asset']],
  ['listEpochs', { pageSize: -1, pageToken: '', asset: 'EUR' }, ['asset', 'page_size']],
  ['listEpochs', { pageSize: 0, pageToken: 'x'.repeat(2_000), asset: '' }, ['page_token']],
  ['listRewards', { number: -1n, asset: '', pageSize: -5, pageToken: '' }, ['number', 'asset', 'page_size']],
  ['getRewardProof', { number: -1n, asset: 'DAYA', account: '' }, ['number', 'account']],
  ['getRewardProof', { number: 1n, asset: 'DAYA', account: 'x'.repeat(129) }, ['account']],
] as const)('%s refuses every wrong field at once', async (method, request, fields) => {
  const call = client[method] as (message: unknown, options: unknown) => Promise<unknown>;
  const error = (await call(request, CALL).catch((caught: unknown) => caught)) as { violations: { field: string }[] };
  expect(error.violations.map((violation) => violation.field)).toEqual(fields);
});

test('what does not exist is not found', async () => {
  await expect(client.getEpoch({ number: 1n, asset: 'DAYA' }, CALL)).rejects.toMatchObject({
    reason: 'EPOCH_NOT_FOUND',
  });
  await expect(
    client.listRewards({ number: 2n ** 62n, asset: 'DAYA', pageSize: 0, pageToken: '' }, CALL),
  ).rejects.toMatchObject({ reason: 'EPOCH_NOT_FOUND' });
  await expect(client.getRewardProof({ number: 1n, asset: 'DAYA', account: PROVIDER }, CALL)).rejects.toMatchObject({
    reason: 'EPOCH_NOT_FOUND',
  });
  const { epochs } = await client.listEpochs({ pageSize: 1, pageToken: '', asset: 'DAYA' }, CALL);
  const number = epochs[0]?.number ?? 0n;
  await expect(client.getRewardProof({ number, asset: 'DAYA', account: 'nobody' }, CALL)).rejects.toMatchObject({
    reason: 'REWARD_NOT_FOUND',
  });
});

test('an anonymous service without a member is refused', async () => {
  await expect(client.getEpoch({ number: 1n, asset: 'DAYA' }, { deadlineMs: 5_000 })).rejects.toMatchObject({
    code: 7,
  });
});
