import * as fc from 'fast-check';
import { aChain, aChargeFact, aDeviceFact, after, someInputs, someParameters } from '../../test/epoch-builder';
import { derivedAddress } from './address';
import { EMPTY_ROOT, closeEpoch } from './close-epoch';
import { EPOCHS_PER_MONTH, RESERVE_AT_GENESIS, monthCeiling } from './emission';
import { epochStateJson, parseEpochState, stateBefore } from './epoch-state';
import { canonicalJson } from './canonical-json';
import { baselineMscu, parametersJson, parseParameters, rampBps } from './parameters';
import { parseSnapshot } from './parse-snapshot';
import { snapshotJson } from './snapshot-json';
import { buildSnapshot } from './build-snapshot';
import { zeroReasons } from './receipts';
import { cumulativeTree } from './cumulative-root';
import { cumulativeLeaf, verifyProof } from './merkle-tree';

const parameters = someParameters();

test('the issued amount, the awards and the leaves are one sum', () => {
  const [closed] = aChain(1);
  if (closed === undefined) throw new Error('no epoch');
  const sum = (amounts: Iterable<bigint>): bigint => [...amounts].reduce((total, amount) => total + amount, 0n);
  expect(sum(closed.awards.map((row) => row.amount))).toBe(closed.result.issued);
  expect(sum(closed.leaves.accounts.map((row) => row.cumulative))).toBe(sum(closed.vestedByAccount.values()));
  expect(closed.result.issued).toBeLessThanOrEqual(closed.result.ceiling);
});

test('a chain’s cumulative amounts never decrease, and every leaf of it has a proof', () => {
  let before = new Map<string, bigint>();
  for (const closed of aChain(5)) {
    const now = new Map(closed.leaves.accounts.map((row) => [row.account, row.cumulative]));
    for (const [account, amount] of before) expect(now.get(account)).toBeGreaterThanOrEqual(amount);
    before = now;
    const tree = cumulativeTree(closed.leaves);
    for (const { account, cumulative } of closed.leaves.accounts) {
      const leaf = cumulativeLeaf(closed.leaves.chainId, closed.leaves.distributor, account, cumulative);
      expect(verifyProof(closed.root, leaf, tree.proof(leaf))).toBe(true);
    }
  }
});

test('the order of frozen facts does not matter', () => {
  const inputs = someInputs({ charges: [aChargeFact(), aChargeFact({ charge: 'charge-2', feeMicros: 7n })] });
  const reversed = { ...inputs, devices: [...inputs.devices].reverse(), charges: [...inputs.charges].reverse() };
  expect(closeEpoch(parameters, reversed, undefined).manifest).toEqual(
    closeEpoch(parameters, inputs, undefined).manifest,
  );
});

test('over a month at full gate no more is issued than the month’s ceiling, and the rest stays in the reserve', () => {
  const short = someParameters({ baseline: { startMscu: 0n, doublingEpochs: 0n, maxMscu: 0n } });
  let before = closeEpoch(short, someInputs({ epoch: 2n * EPOCHS_PER_MONTH }), undefined);
  for (let index = 1n; index <= EPOCHS_PER_MONTH; index++)
    before = closeEpoch(short, someInputs({ epoch: 2n * EPOCHS_PER_MONTH + index }), after(before));
  const { reserveAtMonthStart } = before.closing;
  expect(RESERVE_AT_GENESIS - reserveAtMonthStart).toBeGreaterThan(0n);
  expect(RESERVE_AT_GENESIS - reserveAtMonthStart).toBeLessThanOrEqual(monthCeiling(RESERVE_AT_GENESIS));
  expect(before.closing.issuedInMonth).toBe(before.result.issued);
});

test.each([
  ['NODE_NOT_ADMITTED', aDeviceFact({ ineligibleReason: 'NODE_NOT_ADMITTED' }), parameters],
  ['UPTIME_BELOW_80_PERCENT', aDeviceFact({ checks: '111111111000' }), parameters],
  ['CLASS_NOT_RATED', aDeviceFact({ mscuPerGpu: 0n }), parameters],
  ['WARMING_UP', aDeviceFact(), someParameters({ warmUpEpochs: 24n, fullRampEpochs: 192n })],
  ['STAKE_MISSING', aDeviceFact(), someParameters({ stakePerMscu: 1n })],
  ['CLASS_WITHOUT_SUBSIDY', aDeviceFact({ gpuClass: 'l4' }), parameters],
])('a zero has its reason: %s', (reason, device, policy) => {
  const { receipts } = closeEpoch(policy, someInputs({ devices: [device], charges: [] }), undefined);
  expect(receipts.devices[0]).toMatchObject({ capacity: 0n, capacityReason: reason, boostReason: 'NO_CAPACITY_PAY' });
  expect(zeroReasons(receipts).get(device.account)).toBe(reason);
});

test('promotional credit earns nothing, and says so', () => {
  const { receipts } = closeEpoch(
    parameters,
    someInputs({ devices: [], charges: [aChargeFact({ moneyAsset: 'CREDIT' })] }),
    undefined,
  );
  expect(receipts.jobs).toEqual([
    { job: 'job-1/provider-1', account: 'provider-1', amount: 0n, reason: 'NO_FEE_IN_REAL_MONEY' },
  ]);
});

test('a fee that is taken back is set off against later fees of the same account only', () => {
  const taken = closeEpoch(
    parameters,
    someInputs({ charges: [aChargeFact({ feeMicros: -900n, billableMs: -5_000n })] }),
    undefined,
  );
  expect(taken.closing.feeDebts).toEqual([{ account: 'provider-1', micros: 900n }]);
  const charges = [
    aChargeFact({ charge: 'c2', feeMicros: 1_000n }),
    aChargeFact({ charge: 'c3', job: 'job-2', account: 'provider-2', feeMicros: 50n }),
  ];
  const next = buildSnapshot(parameters, someInputs({ epoch: 101n, charges }), taken.closing);
  expect(next.snapshot.jobs.map((row) => [row.account, row.feeMicros])).toEqual([
    ['provider-1', 100n],
    ['provider-2', 50n],
  ]);
  expect(next.feeDebts).toEqual([]);
});

test('hired time counts at most whole, and utilisation over 24 epochs', () => {
  const charges = [
    aChargeFact({ billableMs: 5_000n, gpuMilli: 2_000n }),
    aChargeFact({ charge: 'c2', device: 'node-2/h100-80-sxm', billableMs: 99_000n, gpuMilli: 2_000n }),
  ];
  const built = buildSnapshot(parameters, someInputs({ charges }), stateBefore(100n));
  expect(built.snapshot.devices.map((row) => row.hiredBps)).toEqual([5_000n, 10_000n]);
  expect(built.snapshot.utilisationBps).toBe(10_000n);
  const long = aChain(30).at(-1);
  expect(long?.closing.utilisation.map((row) => row.epoch)).toEqual(
    Array.from({ length: 24 }, (_, index) => BigInt(106 + index)),
  );
});

test('a device warms up, and starts again with other hardware', () => {
  const policy = someParameters({ warmUpEpochs: 1n, fullRampEpochs: 3n });
  expect([0n, 1n, 2n, 3n, 9n].map((count) => rampBps(policy, count))).toEqual([0n, 0n, 5_000n, 10_000n, 10_000n]);
  const third = aChain(3, policy)[2];
  const next = buildSnapshot(
    policy,
    someInputs({ epoch: 103n, devices: [aDeviceFact(), aDeviceFact({ device: 'node-2/h100-80-sxm', gpuCount: 8n })] }),
    third?.closing ?? stateBefore(103n),
  );
  expect(next.snapshot.devices.map((row) => row.rampBps)).toEqual([10_000n, 0n]);
});

test('the address of an account: declared, else derived; a new one gets later awards only', () => {
  const declared = `0x${'ab'.repeat(20)}`;
  const first = closeEpoch(parameters, someInputs(), undefined);
  const devices = [aDeviceFact({ declaredAddress: declared })];
  const second = closeEpoch(parameters, someInputs({ epoch: 101n, devices, charges: [] }), after(first));
  const leaf = (closed: typeof first, address: string): bigint | undefined =>
    closed.leaves.accounts.find((row) => row.account === address)?.cumulative;
  expect(leaf(second, derivedAddress('provider-1'))).toBe(leaf(first, derivedAddress('provider-1')));
  expect(leaf(second, declared)).toBeGreaterThan(0n);
});

test('of nothing there is no root to build, and it is said as zero', () => {
  const opening = { ...stateBefore(100n), reserveAtMonthStart: 0n };
  const closed = closeEpoch(parameters, someInputs({ devices: [], charges: [] }), {
    state: opening,
    manifestSha256: '00',
  });
  expect(closed.root).toBe(EMPTY_ROOT);
  expect(closed.leaves.accounts).toEqual([]);
});

test('the published forms read back as what was written', () => {
  const closed = aChain(2)[1];
  if (closed === undefined) throw new Error('no epoch');
  const reread = (json: Parameters<typeof canonicalJson>[0]): unknown => JSON.parse(canonicalJson(json));
  expect(epochStateJson(parseEpochState(reread(epochStateJson(closed.closing))))).toEqual(
    epochStateJson(closed.closing),
  );
  expect(parseParameters(reread(parametersJson(parameters)))).toEqual(parameters);
  const { snapshot } = buildSnapshot(parameters, someInputs(), stateBefore(100n));
  expect(parseSnapshot(reread(snapshotJson(snapshot)))).toEqual(snapshot);
});

test('the baseline doubles at its steps, never falls, and stops at its maximum', () => {
  const curve = { startMscu: 5_000n, doublingEpochs: 90n, maxMscu: 400_000n };
  expect([0n, 45n, 90n, 180n, 10_000_000n].map((epoch) => baselineMscu(curve, epoch))).toEqual([
    5_000n,
    7_500n,
    10_000n,
    20_000n,
    400_000n,
  ]);
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2_000n }),
      (epoch) => baselineMscu(curve, epoch + 1n) >= baselineMscu(curve, epoch),
    ),
  );
});
