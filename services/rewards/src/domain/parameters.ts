import { AMOUNT_MAX, refuseInvalid, type FoundViolation } from '@daya/kernel';
import { isAddress } from './address';
import { byUtf8, type JsonValue } from './canonical-json';
import { BPS } from './snapshot';
import { StrictObject, noteDuplicates } from './strict-object';

/** What the operator decides. Every manifest names these by hash and publishes them beside the epoch. */
export interface Parameters {
  readonly chainId: bigint;
  /** The contract that pays; part of every leaf. */
  readonly distributor: string;
  /** Unix seconds at which epoch 0 begins. */
  readonly genesisTime: bigint;
  readonly epochSeconds: bigint;
  /** An epoch closes no earlier than this after its end. */
  readonly graceSeconds: bigint;
  /** Micro-USD per whole token. */
  readonly priceHiMicros: bigint;
  readonly stakePerMscu: bigint;
  readonly floorLicences: bigint;
  /** Reward value of work at most this share of its fee. */
  readonly lambdaBps: bigint;
  readonly baseline: Baseline;
  /** A device earns no capacity pay in its first eligible epochs … */
  readonly warmUpEpochs: bigint;
  /** … and all of it from this many on; linear in between. */
  readonly fullRampEpochs: bigint;
  readonly subsidies: readonly Subsidy[];
}

/** The capacity that opens the emission fully: `startMscu`, doubled every `doublingEpochs` (0: never), at most `maxMscu`. */
export interface Baseline {
  readonly startMscu: bigint;
  readonly doublingEpochs: bigint;
  readonly maxMscu: bigint;
}

export interface Subsidy {
  readonly gpuClass: string;
  readonly microsPerScuHour: bigint;
}

/** An epoch's length and grace come from the environment, the rest from the operator's file. */
export const OPERATOR_FIELDS = [
  'version',
  'chain_id',
  'distributor',
  'genesis_time',
  'price_hi_micros',
  'stake_per_mscu',
  'floor_licences',
  'lambda_bps',
  'baseline',
  'warm_up_epochs',
  'full_ramp_epochs',
  'subsidies',
] as const;
const TIMING_FIELDS = ['epoch_seconds', 'grace_seconds'] as const;

/** Reads a published parameters file. Refuses with `invalid` INVALID_FIELDS that names every violated field. */
export function parseParameters(json: unknown): Parameters {
  const problems: FoundViolation[] = [];
  const top = new StrictObject(json, '', [...OPERATOR_FIELDS, ...TIMING_FIELDS], problems);
  if (top.text('version') !== '1') top.problem('version', 'NOT_SUPPORTED', 'must be "1"');
  const parameters: Parameters = {
    chainId: top.decimal('chain_id'),
    distributor: top.text('distributor').toLowerCase(),
    genesisTime: top.decimal('genesis_time'),
    epochSeconds: top.decimal('epoch_seconds'),
    graceSeconds: top.decimal('grace_seconds'),
    priceHiMicros: top.decimal('price_hi_micros'),
    stakePerMscu: top.decimal('stake_per_mscu'),
    floorLicences: top.decimal('floor_licences'),
    lambdaBps: top.decimal('lambda_bps', 30_000n),
    baseline: top.object('baseline', ['start_mscu', 'doubling_epochs', 'max_mscu'], (row) => ({
      startMscu: row.decimal('start_mscu'),
      doublingEpochs: row.decimal('doubling_epochs'),
      maxMscu: row.decimal('max_mscu'),
    })),
    warmUpEpochs: top.decimal('warm_up_epochs'),
    fullRampEpochs: top.decimal('full_ramp_epochs'),
    subsidies: top.rows('subsidies', ['gpu_class', 'micros_per_scu_hour'], (row) => ({
      gpuClass: row.text('gpu_class'),
      // The median that stands for an absent one is a third of this times ten; it must stay an int64.
      microsPerScuHour: row.decimal('micros_per_scu_hour', AMOUNT_MAX / BPS),
    })),
  };
  if (!isAddress(parameters.distributor))
    top.problem('distributor', 'MALFORMED', 'must be 0x and 40 hexadecimal digits');
  if (parameters.priceHiMicros === 0n) top.problem('price_hi_micros', 'OUT_OF_RANGE', 'must be above 0');
  if (parameters.epochSeconds === 0n) top.problem('epoch_seconds', 'OUT_OF_RANGE', 'must be above 0');
  if (parameters.fullRampEpochs < parameters.warmUpEpochs)
    top.problem('full_ramp_epochs', 'OUT_OF_RANGE', 'must be at least warm_up_epochs');
  noteDuplicates(
    parameters.subsidies.map((row) => row.gpuClass),
    'subsidies',
    'gpu_class',
    problems,
  );
  refuseInvalid(problems);
  return parameters;
}

export const parametersJson = (parameters: Parameters): JsonValue => ({
  version: '1',
  chain_id: parameters.chainId,
  distributor: parameters.distributor,
  genesis_time: parameters.genesisTime,
  epoch_seconds: parameters.epochSeconds,
  grace_seconds: parameters.graceSeconds,
  price_hi_micros: parameters.priceHiMicros,
  stake_per_mscu: parameters.stakePerMscu,
  floor_licences: parameters.floorLicences,
  lambda_bps: parameters.lambdaBps,
  baseline: {
    start_mscu: parameters.baseline.startMscu,
    doubling_epochs: parameters.baseline.doublingEpochs,
    max_mscu: parameters.baseline.maxMscu,
  },
  warm_up_epochs: parameters.warmUpEpochs,
  full_ramp_epochs: parameters.fullRampEpochs,
  subsidies: [...parameters.subsidies]
    .sort((a, b) => byUtf8(a.gpuClass, b.gpuClass))
    .map((row) => ({ gpu_class: row.gpuClass, micros_per_scu_hour: row.microsPerScuHour })),
});

export const epochStart = ({ genesisTime, epochSeconds }: Parameters, epoch: bigint): bigint =>
  genesisTime + epoch * epochSeconds;

/** The epoch that holds a moment (unix seconds). Throws a plain Error before genesis. */
export function epochAt({ genesisTime, epochSeconds }: Parameters, unixSeconds: bigint): bigint {
  if (unixSeconds < genesisTime) throw new Error('the first epoch has not begun: genesis_time lies in the future');
  return (unixSeconds - genesisTime) / epochSeconds;
}

/** Doubles stepwise with a straight line in between, so that it is exact in integers. */
export function baselineMscu({ startMscu, doublingEpochs, maxMscu }: Baseline, epoch: bigint): bigint {
  let level = startMscu;
  if (doublingEpochs > 0n) {
    for (let doubled = epoch / doublingEpochs; doubled > 0n && level < maxMscu && level > 0n; doubled--) level *= 2n;
    level += (level * (epoch % doublingEpochs)) / doublingEpochs;
  }
  return level < maxMscu ? level : maxMscu;
}

/** The warm-up ramp of a device that was eligible in `eligibleEpochs` epochs before this one, in basis points. */
export function rampBps({ warmUpEpochs, fullRampEpochs }: Parameters, eligibleEpochs: bigint): bigint {
  if (eligibleEpochs >= fullRampEpochs) return BPS;
  if (eligibleEpochs < warmUpEpochs) return 0n;
  return ((eligibleEpochs - warmUpEpochs) * BPS) / (fullRampEpochs - warmUpEpochs);
}
