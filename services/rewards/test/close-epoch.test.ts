import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../src/adapters/cli/run-command';
import { epochFolder } from '../src/adapters/files/published-folder';
import { CloseEpoch } from '../src/application/close-epoch';
import type { Chain, CloseTransaction, EpochStore } from '../src/application/ports';
import type { RewardAsset } from '../src/domain/epoch-inputs';
import { EpochHarness, FIRST_EPOCH } from './epoch-harness';
import type { LooseJson } from './snapshot-builder';

let harness: EpochHarness;
beforeEach(async () => {
  harness = await EpochHarness.open();
});
afterEach(() => harness.close());

const published = (name: string, epoch: bigint): LooseJson =>
  JSON.parse(readFileSync(join(harness.folder, epochFolder('DAYA_TEST', epoch), name), 'utf8')) as LooseJson;

test('an epoch closes over devices and charges, is announced once, and what it published is recomputed from the files alone', async () => {
  await harness.apply(
    ...harness.onlineNode(),
    harness.charge(FIRST_EPOCH),
    ...harness.onlineNode({ nodeId: 'real', providerId: 'provider-2', emulated: false }),
  );
  await harness.closeThrough(FIRST_EPOCH + 2n);

  const epochs = await harness.rows<{ asset: string; number: string }>(
    `SELECT asset, number FROM epoch ORDER BY asset, number`,
  );
  expect(epochs.map((row) => `${row.asset} ${row.number}`)).toEqual([
    'DAYA 100',
    'DAYA 101',
    'DAYA 102',
    'DAYA_TEST 100',
    'DAYA_TEST 101',
    'DAYA_TEST 102',
  ]);
  const rewards = await harness.rows<{ account: string; amount: string }>(
    `SELECT account, amount FROM reward WHERE asset = 'DAYA_TEST' AND number = 100 ORDER BY account`,
  );
  expect(rewards.map((row) => row.account)).toEqual(['insurance', 'provider-1']);
  expect(BigInt(rewards[1]?.amount ?? 0)).toBeGreaterThan(0n);
  const real = await harness.rows<{ account: string }>(
    `SELECT account FROM reward WHERE asset = 'DAYA' AND number = 100 ORDER BY account`,
  );
  expect(real.map((row) => row.account)).toEqual(['insurance', 'provider-2']);

  const events = await harness.rows<{ key: string; aggregate_version: string }>(
    `SELECT key, aggregate_version FROM outbox ORDER BY position`,
  );
  expect(events.filter((row) => row.key === 'DAYA_TEST').map((row) => row.aggregate_version)).toEqual(['1', '2', '3']);
  expect(events).toHaveLength(6);

  expect(await runCommand(['verify', harness.folder])).toMatchObject({
    exitCode: 0,
    stdout: 'PASS 6 epochs recomputed\n',
  });
  const python = spawnSync('python3', [join(__dirname, '../verify/verify_root.py'), '--folder', harness.folder], {
    encoding: 'utf8',
  });
  expect(python).toMatchObject({ status: 0, stdout: '{"epochs": 6}\n', stderr: '' });
  expect(readdirSync(harness.folder).sort()).toEqual(['DAYA', 'DAYA_TEST']);
});

test('a credit note after its charge was paid changes no closed epoch: it counts where billing posted it', async () => {
  await harness.apply(...harness.onlineNode(), harness.charge(FIRST_EPOCH));
  await harness.closeThrough(FIRST_EPOCH);
  const closed = await harness.rows(`SELECT * FROM epoch WHERE number = ${FIRST_EPOCH}`);
  const note = { charge: 'note-1', feeMicros: -400n, billableMs: -2_000n };
  await harness.apply(harness.charge(FIRST_EPOCH + 1n, note));
  await harness.closeThrough(FIRST_EPOCH + 2n);
  expect(await harness.rows(`SELECT * FROM epoch WHERE number = ${FIRST_EPOCH}`)).toEqual(closed);
  expect(await harness.rows(`SELECT charge_id, epoch FROM charge WHERE asset = 'DAYA_TEST' ORDER BY 1`)).toEqual([
    { charge_id: 'charge-1', epoch: String(FIRST_EPOCH) },
    { charge_id: 'note-1', epoch: String(FIRST_EPOCH + 1n) },
  ]);
  expect(await harness.rows(`SELECT * FROM audit_w2(0)`)).toEqual([]);
  expect(await runCommand(['verify', harness.folder])).toMatchObject({ exitCode: 0 });
});

test('it closes neither before the grace nor before every input was read beyond its end', async () => {
  const closer = harness.closer();
  harness.clock.set(new Date(harness.startMs(FIRST_EPOCH + 1n) + 1_999));
  expect(await closer.execute('DAYA_TEST')).toBe(false);
  harness.positions.hasPassed = false;
  harness.clock.advance(1);
  expect(await closer.execute('DAYA_TEST')).toBe(false);
  harness.positions.hasPassed = true;
  expect(await closer.execute('DAYA_TEST')).toBe(true);
});

test('closers that race leave one epoch, one root and one set of ledger rows', async () => {
  await harness.apply(...harness.onlineNode(), harness.charge(FIRST_EPOCH));
  harness.atEpoch(FIRST_EPOCH + 2n);
  const outcomes = await Promise.all(Array.from({ length: 6 }, () => harness.closer().execute('DAYA_TEST')));
  expect(outcomes.filter(Boolean)).toHaveLength(1);
  expect(await harness.rows(`SELECT DISTINCT root FROM epoch WHERE asset = 'DAYA_TEST'`)).toHaveLength(1);
  expect(await harness.rows(`SELECT * FROM audit_w2(0)`)).toEqual([]);

  const stores = Array.from({ length: 4 }, () => harness.store());
  await Promise.all(stores.map((store) => harness.publisher(store).execute()));
  expect(await harness.rows(`SELECT 1 FROM outbox WHERE key = 'DAYA_TEST'`)).toHaveLength(1);
});

/** A closer that rests between taking its chain and closing, until it is let go on. */
class RestingStore {
  private readonly taken = gate();
  private readonly goOn = gate();
  readonly hasTaken = this.taken.passed;
  readonly letGoOn = this.goOn.open;

  constructor(private readonly store: EpochStore) {}
  chain: EpochStore['chain'] = (asset) => this.store.chain(asset);
  transaction<T>(work: (tx: CloseTransaction) => Promise<T>): Promise<T> {
    const lockChain = async (tx: CloseTransaction, asset: RewardAsset): Promise<Chain> => {
      const chain = await tx.lockChain(asset);
      this.taken.open();
      await this.goOn.passed;
      return chain;
    };
    return this.store.transaction((tx) =>
      work(
        Object.create(tx, { lockChain: { value: (asset: RewardAsset) => lockChain(tx, asset) } }) as CloseTransaction,
      ),
    );
  }
}

function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open: () => open() };
}

test('while one closes, another waits, and then finds it closed', async () => {
  harness.atEpoch(FIRST_EPOCH + 2n);
  const resting = new RestingStore(harness.store());
  const first = harness.closer(resting as unknown as EpochStore).execute('DAYA_TEST');
  await resting.hasTaken;
  let secondIsDone = false;
  const second = harness
    .closer()
    .execute('DAYA_TEST')
    .finally(() => (secondIsDone = true));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(secondIsDone).toBe(false);
  resting.letGoOn();
  expect(await Promise.all([first, second])).toEqual([true, false]);
  expect(await harness.rows(`SELECT number FROM epoch WHERE asset = 'DAYA_TEST'`)).toHaveLength(1);
});

/** A closer that dies after it wrote everything and before it commits. */
class DyingStore {
  constructor(private readonly store: EpochStore) {}
  chain: EpochStore['chain'] = (asset) => this.store.chain(asset);
  transaction<T>(work: (tx: CloseTransaction) => Promise<T>): Promise<T> {
    return this.store.transaction(async (tx) => {
      await work(tx);
      throw new Error('killed');
    });
  }
}

test('a closer killed in the middle leaves nothing behind, and the next one finds the same digest', async () => {
  await harness.apply(...harness.onlineNode(), harness.charge(FIRST_EPOCH));
  harness.atEpoch(FIRST_EPOCH + 2n);
  const dying = new CloseEpoch(
    new DyingStore(harness.store()) as unknown as EpochStore,
    harness.positions,
    harness.clock,
    harness.parameters,
  );
  await expect(dying.execute('DAYA_TEST')).rejects.toThrow('killed');
  expect(await harness.rows(`SELECT 1 FROM charge WHERE epoch IS NOT NULL UNION ALL SELECT 1 FROM epoch`)).toEqual([]);
  expect(await harness.closer().execute('DAYA_TEST')).toBe(true);

  const [row] = await harness.rows<{ manifest_sha256: string }>(`SELECT manifest_sha256 FROM epoch`);
  const twin = await EpochHarness.open();
  try {
    await twin.apply(harness.charge(FIRST_EPOCH), ...[...harness.onlineNode()].reverse());
    twin.atEpoch(FIRST_EPOCH + 2n);
    await twin.closer().execute('DAYA_TEST');
    expect(await twin.rows(`SELECT manifest_sha256 FROM epoch`)).toEqual([row]);
  } finally {
    await twin.close();
  }
});

test('a charge that arrives after its epoch closed is paid by the next one, marked late, and every charge once', async () => {
  await harness.apply(...harness.onlineNode(), harness.charge(FIRST_EPOCH));
  await harness.closeThrough(FIRST_EPOCH);
  await harness.apply(
    harness.charge(FIRST_EPOCH),
    harness.charge(FIRST_EPOCH, { charge: 'charge-2' }),
    harness.charge(FIRST_EPOCH + 1n, { charge: 'charge-3' }),
  );
  await harness.closeThrough(FIRST_EPOCH + 2n);
  const charges = [0n, 1n, 2n].map((step) =>
    published('inputs.json', FIRST_EPOCH + step)['charges'].map((row: { charge: string; late: boolean }) => [
      row.charge,
      row.late,
    ]),
  );
  expect(charges).toEqual([
    [['charge-1', false]],
    [
      ['charge-2', true],
      ['charge-3', false],
    ],
    [],
  ]);
});

test('a charge in an epoch’s last millisecond is its, one at its end is the next one’s', async () => {
  const endMs = harness.startMs(FIRST_EPOCH + 1n);
  await harness.apply(
    harness.charge(FIRST_EPOCH, { postTimeMs: endMs - 1 }),
    harness.charge(FIRST_EPOCH, { charge: 'charge-2', postTimeMs: endMs }),
  );
  await harness.closeThrough(FIRST_EPOCH + 1n);
  expect(
    [0n, 1n].map((step) =>
      published('inputs.json', FIRST_EPOCH + step)['charges'].map((row: { charge: string }) => row.charge),
    ),
  ).toEqual([['charge-1'], ['charge-2']]);
});

test('a node that was away, one not admitted and one not offered earn nothing, each with its reason', async () => {
  const awayMs = harness.startMs(FIRST_EPOCH) + 2_000;
  const [node] = harness.onlineNode({ nodeId: 'away', providerId: 'p-away' });
  await harness.apply(
    ...harness.onlineNode({ nodeId: 'away', providerId: 'p-away' }),
    ...(node?.kind === 'node'
      ? [{ kind: 'node' as const, node: { ...node.node, version: 2n, online: false, changeTimeMs: awayMs } }]
      : []),
    ...harness.onlineNode({ nodeId: 'new', providerId: 'p-new', ineligibleReason: 'NODE_NOT_ADMITTED' }),
    ...harness.onlineNode({ nodeId: 'shut', providerId: 'p-shut' }),
    { kind: 'offer', offer: harness.offer('shut', 'rtx-4090', awayMs, { version: 2n, open: false }) },
    ...harness.onlineNode({ nodeId: 'gone', providerId: 'p-gone' }),
    { kind: 'revocation', nodeId: 'gone', timeMs: awayMs },
  );
  await harness.closeThrough(FIRST_EPOCH + 1n);
  const reasons = await harness.rows(
    `SELECT account, zero_reason FROM reward WHERE asset = 'DAYA_TEST' AND number = 100 AND amount = 0 ORDER BY account`,
  );
  expect(reasons).toEqual([
    { account: 'p-away', zero_reason: 'UPTIME_BELOW_80_PERCENT' },
    { account: 'p-gone', zero_reason: 'NODE_REVOKED' },
    { account: 'p-new', zero_reason: 'NODE_NOT_ADMITTED' },
    { account: 'p-shut', zero_reason: 'NOT_OFFERED' },
  ]);
  expect(
    published('inputs.json', FIRST_EPOCH)['devices'].map((row: { device: string; checks: string }) => row.checks),
  ).toEqual(['110000000000', '110000000000', '111111111111', '111111111111']);
  const later = published('inputs.json', FIRST_EPOCH + 1n)['devices'].map((row: { device: string }) => row.device);
  expect(later).not.toContain('gone/rtx-4090');
});

test('what no open epoch needs is forgotten, and changes no epoch', async () => {
  const [node, offer] = harness.onlineNode();
  if (node?.kind !== 'node' || offer === undefined) throw new Error('no node');
  const changes = [2n, 3n, 4n].map((version) => ({
    kind: 'node' as const,
    node: { ...node.node, version, changeTimeMs: harness.startMs(FIRST_EPOCH) + Number(version) * 2_000 },
  }));
  await harness.apply(node, offer, ...changes);
  await harness.store().forgetHistory();
  expect(await harness.rows(`SELECT 1 FROM node_version`)).toHaveLength(4);
  await harness.closeThrough(FIRST_EPOCH);
  await harness.store().forgetHistory();
  expect(await harness.rows(`SELECT version::int FROM node_version`)).toEqual([{ version: 4 }]);
  await harness.closeThrough(FIRST_EPOCH + 1n);
  expect(published('inputs.json', FIRST_EPOCH + 1n)['devices'][0].checks).toBe('111111111111');
});

test('the service cannot rewrite what it closed', async () => {
  await harness.apply(...harness.onlineNode());
  await harness.closeThrough(FIRST_EPOCH);
  for (const table of ['epoch', 'epoch_file', 'reward', 'leaf', 'transfer', 'publication']) {
    await expect(harness.rows(`DELETE FROM ${table}`)).rejects.toThrow('permission denied');
    await expect(harness.rows(`UPDATE ${table} SET asset = 'DAYA'`)).rejects.toThrow('permission denied');
  }
});

test('a chain keeps its genesis and its epoch length', async () => {
  await expect(harness.store().beginChains(5n, harness.parameters.genesisTime, 11n)).rejects.toThrow('may not change');
});
