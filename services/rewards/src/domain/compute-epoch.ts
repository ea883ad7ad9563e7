import { payBoost } from './boost';
import { byUtf8, type JsonValue } from './canonical-json';
import { payCapacity } from './capacity';
import { payCheckers } from './checkers';
import { epochCeiling, gateBps, poolsOf, type Pools } from './emission';
import { BPS, INSURANCE_ACCOUNT, type Snapshot } from './snapshot';
import { payWork } from './work';

export interface DevicePay {
  readonly device: string;
  readonly weight: bigint;
  readonly desired: bigint;
  readonly capacity: bigint;
  readonly boost: bigint;
}

/** What one epoch pays of one asset, in 1e-9 token. Rows are sorted by id in UTF-8 order. */
export interface EpochResult {
  readonly epoch: bigint;
  readonly ceiling: bigint;
  readonly gateBps: bigint;
  readonly available: bigint;
  readonly pools: Pools;
  readonly devices: readonly DevicePay[];
  readonly jobs: readonly { readonly job: string; readonly amount: bigint }[];
  readonly licences: readonly { readonly licence: string; readonly owner: bigint; readonly operator: bigint }[];
  readonly unissued: Omit<Pools, 'insurance'>;
  readonly issued: bigint;
  readonly accounts: readonly AccountAmount[];
}

export interface AccountAmount {
  readonly account: string;
  readonly amount: bigint;
}

/** Pure and exact: the same snapshot gives the same result on every machine, whatever the order of its rows. */
export function computeEpoch(snapshot: Snapshot): EpochResult {
  const ceiling = epochCeiling(snapshot.reserveAtMonthStart, snapshot.epoch);
  const gate = gateBps(snapshot.activeMscu, snapshot.baselineMscu);
  const available = (ceiling * gate) / BPS;
  const pools = poolsOf(available, snapshot.utilisationBps);

  const capacity = payCapacity(snapshot, pools.capacity);
  const boosts = payBoost(capacity, snapshot.cells, pools.boost);
  const work = payWork(snapshot, pools.work);
  const checkers = payCheckers(snapshot, pools.checkers);

  const awards: AccountAmount[] = [
    ...capacity.map(({ device, pay }) => ({
      account: device.account,
      amount: pay + (boosts.get(device.device) ?? 0n),
    })),
    ...work.map(({ job, pay }) => ({ account: job.account, amount: pay })),
    ...checkers.map(({ licence, owner }) => ({ account: licence.owner, amount: owner })),
    ...checkers.map(({ licence, operator }) => ({ account: licence.operator, amount: operator })),
    { account: INSURANCE_ACCOUNT, amount: pools.insurance },
  ];
  const unissued = {
    capacity: pools.capacity - sumOf(capacity.map(({ pay }) => pay)),
    work: pools.work - sumOf(work.map(({ pay }) => pay)),
    checkers: pools.checkers - sumOf(checkers.map(({ owner, operator }) => owner + operator)),
    boost: pools.boost - sumOf([...boosts.values()]),
  };
  return {
    epoch: snapshot.epoch,
    ceiling,
    gateBps: gate,
    available,
    pools,
    devices: capacity
      .map(({ device: { device }, weight, desired, pay }) => ({
        device,
        weight,
        desired,
        capacity: pay,
        boost: boosts.get(device) ?? 0n,
      }))
      .sort((a, b) => byUtf8(a.device, b.device)),
    jobs: work.map(({ job, pay }) => ({ job: job.job, amount: pay })).sort((a, b) => byUtf8(a.job, b.job)),
    licences: checkers
      .map(({ licence: { licence }, owner, operator }) => ({ licence, owner, operator }))
      .sort((a, b) => byUtf8(a.licence, b.licence)),
    unissued,
    issued: available - unissued.capacity - unissued.work - unissued.checkers - unissued.boost,
    accounts: sumByAccount(awards),
  };
}

/** One row per account, sorted; accounts with nothing are left out. */
export function sumByAccount(awards: readonly AccountAmount[]): readonly AccountAmount[] {
  const totals = new Map<string, bigint>();
  for (const { account, amount } of awards) totals.set(account, (totals.get(account) ?? 0n) + amount);
  return [...totals]
    .filter(([, amount]) => amount > 0n)
    .map(([account, amount]) => ({ account, amount }))
    .sort((a, b) => byUtf8(a.account, b.account));
}

const sumOf = (amounts: readonly bigint[]): bigint => amounts.reduce((sum, amount) => sum + amount, 0n);

/** The published form: snake case, integers as decimal strings once written. */
export function resultJson(result: EpochResult): JsonValue {
  return {
    epoch: result.epoch,
    ceiling: result.ceiling,
    gate_bps: result.gateBps,
    available: result.available,
    pools: { ...result.pools },
    devices: result.devices.map((row) => ({ ...row })),
    jobs: result.jobs.map((row) => ({ ...row })),
    licences: result.licences.map((row) => ({ ...row })),
    unissued: { ...result.unissued },
    issued: result.issued,
    accounts: result.accounts.map((row) => ({ ...row })),
  };
}
