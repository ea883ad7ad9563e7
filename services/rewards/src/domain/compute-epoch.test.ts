import * as fc from 'fast-check';
import { aDevice, aSnapshot } from '../../test/snapshot-builder';
import { computeEpoch, type EpochResult } from './compute-epoch';
import { uptimeBps } from './capacity';
import { EPOCHS_PER_MONTH, NANO, RESERVE_AT_GENESIS, epochCeiling, gateBps, monthCeiling } from './emission';
import { INSURANCE_ACCOUNT, type DeviceRow, type Snapshot } from './snapshot';

const amount = (max: bigint): fc.Arbitrary<bigint> => fc.bigInt({ min: 0n, max });
const bps = amount(10_000n);
const CELLS = ['eu/h100', 'eu/rtx4090', 'us/h100', ''];
const ACCOUNTS = ['lab', 'north', 'south', 'ünï', '\u{1F600}', '\uFF5E'];

const devices = fc.uniqueArray(
  fc.record({
    device: fc.string({ minLength: 1, maxLength: 6, unit: 'grapheme' }),
    account: fc.constantFrom(...ACCOUNTS),
    gpuClass: fc.constantFrom('h100', 'rtx4090'),
    cell: fc.constantFrom(...CELLS),
    mscu: amount(100_000n),
    qualityBps: amount(13_000n),
    checks: fc.constant(12n),
    checksOk: fc.bigInt({ min: 8n, max: 12n }),
    rampBps: bps,
    hiredBps: bps,
    stake: amount(10n ** 13n),
    eligible: fc.boolean(),
  }),
  { selector: (row) => row.device, maxLength: 12 },
);

const snapshots: fc.Arbitrary<Snapshot> = fc
  .record({
    epoch: amount(200_000n),
    reserveAtMonthStart: fc.oneof(amount(RESERVE_AT_GENESIS), amount(10n ** 11n)),
    activeMscu: amount(10_000_000n),
    baselineMscu: amount(10_000_000n),
    utilisationBps: bps,
    priceHiMicros: fc.bigInt({ min: 1n, max: 5_000_000n }),
    stakePerMscu: fc.oneof(fc.constant(0n), amount(10n ** 9n)),
    floorLicences: amount(20n),
    devices,
    jobs: fc.uniqueArray(
      fc.record({
        job: fc.uuid(),
        account: fc.constantFrom(...ACCOUNTS),
        feeMicros: amount(10n ** 9n),
        qualityBps: bps,
        lambdaBps: amount(30_000n),
      }),
      { selector: (row) => row.job, maxLength: 8 },
    ),
    cells: fc.uniqueArray(
      fc.record({ cell: fc.constantFrom('eu/h100', 'us/h100', 'ap/l4'), deficitMscu: amount(10n ** 6n) }),
      { selector: (row) => row.cell, maxLength: 3 },
    ),
    licences: fc.uniqueArray(
      fc.record({
        licence: fc.uuid(),
        owner: fc.constantFrom(...ACCOUNTS),
        operator: fc.constantFrom(...ACCOUNTS),
        commissionBps: amount(3_000n),
        points: amount(30n),
      }),
      { selector: (row) => row.licence, maxLength: 6 },
    ),
  })
  .map((parts) => ({ ...aSnapshot(), ...parts }));

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, value) => total + value, 0n);
const paidTo = (result: EpochResult, ids: readonly string[]): bigint =>
  sum(result.devices.filter(({ device }) => ids.includes(device)).map(({ capacity, boost }) => capacity + boost));

test('what is paid and what is unissued are the emission, pool by pool, never more', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const result = computeEpoch(snapshot);
      const { pools, unissued } = result;
      expect(sum(Object.values(pools))).toBe(result.available);
      expect(result.available).toBeLessThanOrEqual(result.ceiling);
      for (const value of [...Object.values(pools), ...Object.values(unissued)])
        expect(value).toBeGreaterThanOrEqual(0n);
      expect(sum(result.devices.map(({ capacity }) => capacity)) + unissued.capacity).toBe(pools.capacity);
      expect(sum(result.devices.map(({ boost }) => boost)) + unissued.boost).toBe(pools.boost);
      expect(sum(result.jobs.map((row) => row.amount)) + unissued.work).toBe(pools.work);
      expect(sum(result.licences.map(({ owner, operator }) => owner + operator)) + unissued.checkers).toBe(
        pools.checkers,
      );
      expect(sum(result.accounts.map((row) => row.amount))).toBe(result.issued);
      for (const row of result.devices) expect(row.boost).toBeLessThanOrEqual(row.capacity);
    }),
    { numRuns: 500 },
  );
});

test('the order of rows does not matter', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const reversed: Snapshot = {
        ...snapshot,
        classes: [...snapshot.classes].reverse(),
        devices: [...snapshot.devices].reverse(),
        jobs: [...snapshot.jobs].reverse(),
        cells: [...snapshot.cells].reverse(),
        licences: [...snapshot.licences].reverse(),
      };
      expect(computeEpoch(reversed)).toEqual(computeEpoch(snapshot));
    }),
  );
});

test('one device as two identities never earns more, however mSCU and stake are divided', () => {
  fc.assert(
    fc.property(
      snapshots,
      devices.filter((rows) => rows.length > 0),
      amount(10_000n),
      amount(10_000n),
      (snapshot, [device], mscuPart, stakePart) => {
        if (device === undefined) return;
        const whole: DeviceRow = { ...device, device: 'whole' };
        const first: DeviceRow = {
          ...whole,
          device: 'half-1',
          mscu: (whole.mscu * mscuPart) / 10_000n,
          stake: (whole.stake * stakePart) / 10_000n,
        };
        const second: DeviceRow = {
          ...whole,
          device: 'half-2',
          account: 'sybil',
          mscu: whole.mscu - first.mscu,
          stake: whole.stake - first.stake,
        };
        const others = snapshot.devices.filter((row) => !['whole', 'half-1', 'half-2'].includes(row.device));
        const one = computeEpoch({ ...snapshot, devices: [...others, whole] });
        const two = computeEpoch({ ...snapshot, devices: [...others, first, second] });
        expect(
          sum(two.devices.filter((row) => row.device.startsWith('half')).map((row) => row.weight)),
        ).toBeLessThanOrEqual(one.devices.find((row) => row.device === 'whole')?.weight ?? 0n);
        expect(
          sum(two.devices.filter((row) => row.device.startsWith('half')).map((row) => row.desired)),
        ).toBeLessThanOrEqual(one.devices.find((row) => row.device === 'whole')?.desired ?? 0n);
        expect(paidTo(two, ['half-1', 'half-2'])).toBeLessThanOrEqual(paidTo(one, ['whole']));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a reward is below the fee it rests on while lambda is below 1', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const result = computeEpoch(snapshot);
      for (const job of snapshot.jobs.filter(({ lambdaBps, feeMicros }) => lambdaBps < 10_000n && feeMicros > 0n)) {
        const paid = result.jobs.find((row) => row.job === job.job)?.amount ?? 0n;
        expect(paid * snapshot.priceHiMicros).toBeLessThan(job.feeMicros * NANO);
      }
    }),
  );
});

test('a new device never raises anybody else’s capacity pay', () => {
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const more = { ...snapshot, devices: [...snapshot.devices, aDevice({ device: '~~newcomer' })] };
      const before = computeEpoch(snapshot);
      const after = new Map(computeEpoch(more).devices.map((row) => [row.device, row.capacity]));
      for (const row of before.devices) expect(after.get(row.device)).toBeLessThanOrEqual(row.capacity);
    }),
  );
});

test('the shares of a month sum to its ceiling exactly', () => {
  for (const reserve of [RESERVE_AT_GENESIS, 1n, 999_999_999_999n]) {
    let total = 0n;
    for (let epoch = 0n; epoch < EPOCHS_PER_MONTH; epoch++)
      total += epochCeiling(reserve, 10n * EPOCHS_PER_MONTH + epoch);
    expect(total).toBe(monthCeiling(reserve));
  }
  expect([0n, 1n, 729n].map((epoch) => epochCeiling(RESERVE_AT_GENESIS, epoch))).toEqual([
    9_246_575_342_465n,
    9_246_575_342_466n,
    9_246_575_342_466n,
  ]);
});

test('gate and uptime at their edges', () => {
  expect([gateBps(0n, 0n), gateBps(0n, 1n), gateBps(1_200n, 5_000n), gateBps(9n, 1n)]).toEqual([
    10_000n,
    500n,
    2_400n,
    10_000n,
  ]);
  expect([
    uptimeBps(0n, 0n),
    uptimeBps(11n, 12n),
    uptimeBps(12n, 12n),
    uptimeBps(9n, 12n),
    uptimeBps(49n, 50n),
    uptimeBps(8n, 10n),
  ]).toEqual([0n, 6_477n, 10_000n, 0n, 10_000n, 0n]);
});

test('nobody at all: the insurance fund is paid, the rest returns', () => {
  const result = computeEpoch(aSnapshot({ devices: [], jobs: [], cells: [], licences: [] }));
  expect(result.accounts).toEqual([{ account: INSURANCE_ACCOUNT, amount: result.pools.insurance }]);
  expect(result.issued).toBe(result.pools.insurance);
});
