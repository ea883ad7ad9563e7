import { byUtf8 } from './canonical-json';
import { CHECK_SLOTS, type ChargeFact, type DeviceFact, type EpochInputs } from './epoch-inputs';
import { reserveFor, type DeviceHistory, type EpochState, type UtilisationFact } from './epoch-state';
import { baselineMscu, rampBps, type Parameters } from './parameters';
import { BPS, type ClassRow, type DeviceRow, type JobRow, type Snapshot } from './snapshot';

const UTILISATION_EPOCHS = 24n;
const MILLI = 1_000n;
const MS_PER_SECOND = 1_000n;

/** The snapshot, and what the next epoch needs to know of how it came about. */
export interface BuiltSnapshot {
  readonly snapshot: Snapshot;
  readonly utilisation: readonly UtilisationFact[];
  readonly devices: readonly DeviceHistory[];
  readonly feeDebts: EpochState['feeDebts'];
}

/** Turns frozen facts into the rows that the formulas read. Pure: the same facts, state and parameters give the same rows. */
export function buildSnapshot(parameters: Parameters, inputs: EpochInputs, opening: EpochState): BuiltSnapshot {
  const history = new Map(opening.devices.map((row) => [row.device, row]));
  const soldMs = soldGpuMilliMs(inputs.charges);
  const epochMs = parameters.epochSeconds * MS_PER_SECOND;
  const devices = inputs.devices.map((fact) =>
    deviceRow(fact, rampOf(fact, history, parameters), hiredBps(fact, soldMs, epochMs)),
  );
  const eligible = devices.filter((row) => row.eligible);
  const activeMscu = eligible.reduce((sum, row) => sum + row.mscu, 0n);
  const thisEpoch: UtilisationFact = {
    epoch: inputs.epoch,
    sold: soldMscuMs(inputs, soldMs),
    offered: activeMscu * epochMs,
  };
  const utilisation = [
    ...opening.utilisation.filter((row) => row.epoch + UTILISATION_EPOCHS > inputs.epoch),
    thisEpoch,
  ];
  const { jobs, debts } = jobRows(inputs.charges, opening.feeDebts, parameters.lambdaBps);
  return {
    snapshot: {
      epoch: inputs.epoch,
      reserveAtMonthStart: reserveFor(opening, inputs.epoch).reserve,
      activeMscu,
      baselineMscu: baselineMscu(parameters.baseline, inputs.epoch),
      utilisationBps: utilisationBps(utilisation),
      priceHiMicros: parameters.priceHiMicros,
      stakePerMscu: parameters.stakePerMscu,
      floorLicences: parameters.floorLicences,
      classes: classRows(parameters, inputs.devices),
      devices,
      jobs,
      cells: [],
      licences: [],
    },
    utilisation,
    devices: devices.map((row) => countEpoch(row, history)),
    feeDebts: debts,
  };
}

const mscuOf = (fact: DeviceFact): bigint => fact.gpuCount * fact.mscuPerGpu;

function deviceRow(fact: DeviceFact, ramp: bigint, hired: bigint): DeviceRow {
  return {
    device: fact.device,
    account: fact.account,
    gpuClass: fact.gpuClass,
    cell: `${fact.region}/${fact.gpuClass}`,
    mscu: mscuOf(fact),
    // Until devices are measured, each counts as its class's reference.
    qualityBps: BPS,
    checks: BigInt(CHECK_SLOTS),
    checksOk: BigInt([...fact.checks].filter((slot) => slot === '1').length),
    rampBps: ramp,
    hiredBps: hired,
    stake: 0n,
    eligible: fact.ineligibleReason === '',
  };
}

function rampOf(fact: DeviceFact, history: ReadonlyMap<string, DeviceHistory>, parameters: Parameters): bigint {
  const before = history.get(fact.device);
  const sameHardware = before !== undefined && before.mscu === mscuOf(fact);
  return rampBps(parameters, sameHardware ? before.eligibleEpochs : 0n);
}

function countEpoch(row: DeviceRow, history: ReadonlyMap<string, DeviceHistory>): DeviceHistory {
  const before = history.get(row.device);
  const earlier = before !== undefined && before.mscu === row.mscu ? before.eligibleEpochs : 0n;
  return { device: row.device, mscu: row.mscu, eligibleEpochs: earlier + (row.eligible ? 1n : 0n) };
}

/** GPU-milli times milliseconds that customers paid for, per device; what was taken back counts against it. */
function soldGpuMilliMs(charges: readonly ChargeFact[]): ReadonlyMap<string, bigint> {
  const sold = new Map<string, bigint>();
  for (const { device, billableMs, gpuMilli } of charges)
    sold.set(device, (sold.get(device) ?? 0n) + billableMs * gpuMilli);
  return sold;
}

function hiredBps(fact: DeviceFact, soldMs: ReadonlyMap<string, bigint>, epochMs: bigint): bigint {
  const sold = soldMs.get(fact.device) ?? 0n;
  const whole = fact.gpuCount * MILLI * epochMs;
  if (sold <= 0n || whole === 0n) return 0n;
  return sold >= whole ? BPS : (BPS * sold) / whole;
}

function soldMscuMs({ devices }: EpochInputs, soldMs: ReadonlyMap<string, bigint>): bigint {
  return devices.reduce((sum, { device, mscuPerGpu }) => {
    const sold = soldMs.get(device) ?? 0n;
    return sold > 0n ? sum + (sold * mscuPerGpu) / MILLI : sum;
  }, 0n);
}

function utilisationBps(window: readonly UtilisationFact[]): bigint {
  const sold = window.reduce((sum, row) => sum + row.sold, 0n);
  const offered = window.reduce((sum, row) => sum + row.offered, 0n);
  if (offered === 0n) return 0n;
  return sold >= offered ? BPS : (BPS * sold) / offered;
}

/** Every class that a device has; a class without a governed subsidy earns no idle pay. */
function classRows(parameters: Parameters, devices: readonly DeviceFact[]): readonly ClassRow[] {
  const governed = new Map(parameters.subsidies.map((row) => [row.gpuClass, row.microsPerScuHour]));
  return [...new Set(devices.map((fact) => fact.gpuClass))].sort(byUtf8).map((gpuClass) => {
    const subsidy = governed.get(gpuClass) ?? 0n;
    return { gpuClass, subsidyMicrosPerScuHour: subsidy, paidMedianMicrosPerScuHour: medianThatKeeps(subsidy) };
  });
}

/** No paid median exists yet, and then the governed subsidy holds: the least median of which 30 % is the subsidy. */
const medianThatKeeps = (subsidy: bigint): bigint => (subsidy * BPS + 2_999n) / 3_000n;

/** Credit is promotional: only fees in real money earn. */
export const isRealMoney = (asset: string): boolean => asset === 'USD' || asset.startsWith('USDC:');

/** One row per job and account. Fees that were taken back are first set off against the account's other fees, then owed. */
function jobRows(
  charges: readonly ChargeFact[],
  debts: EpochState['feeDebts'],
  lambdaBps: bigint,
): { jobs: readonly JobRow[]; debts: EpochState['feeDebts'] } {
  const fees = new Map<string, { account: string; micros: bigint }>();
  for (const { job, account, moneyAsset, feeMicros } of charges) {
    const key = `${job}/${account}`;
    const micros = (fees.get(key)?.micros ?? 0n) + (isRealMoney(moneyAsset) ? feeMicros : 0n);
    fees.set(key, { account, micros });
  }
  const owed = new Map(debts.map((row) => [row.account, row.micros]));
  for (const { account, micros } of fees.values())
    if (micros < 0n) owed.set(account, (owed.get(account) ?? 0n) - micros);
  const jobs = [...fees]
    .sort(([a], [b]) => byUtf8(a, b))
    .map(([job, { account, micros }]) => {
      const earned = micros > 0n ? micros : 0n;
      const debt = owed.get(account) ?? 0n;
      const setOff = debt < earned ? debt : earned;
      owed.set(account, debt - setOff);
      return { job, account, feeMicros: earned - setOff, qualityBps: BPS, lambdaBps };
    });
  return {
    jobs,
    debts: [...owed].filter(([, micros]) => micros > 0n).map(([account, micros]) => ({ account, micros })),
  };
}
