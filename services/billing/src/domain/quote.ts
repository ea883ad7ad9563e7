import { AMOUNT_MAX, DomainError } from '@daya/kernel';
import { chargeMicros } from './rate';

/** Tasks that are alike: the same price, size and limit. */
export interface QuoteTask {
  readonly priceMicrosPerGpuHour: bigint;
  readonly gpuMilli: number;
  readonly maxRunSeconds: number;
  readonly taskCount: number;
}

export interface QuoteLine extends QuoteTask {
  /** `compute` for tasks. */
  readonly what: string;
  /** The most that these tasks can cost together. */
  readonly amountMicros: bigint;
}

/** What a job can cost at most, in USD micros, under the fee policy of the day. */
export interface PricedQuote {
  readonly quoteId: string;
  readonly lines: readonly QuoteLine[];
  readonly totalMicros: bigint;
  /** The platform's part inside the price, of 10,000. */
  readonly feeBps: number;
  readonly feePolicyVersion: string;
}

export interface FeePolicy {
  readonly feeBps: number;
  readonly version: string;
}

/**
 * Prices what the scheduler selected. A task's line is its price for the longest it may run; since every run of a task shares
 * that time and each rounds down, what is charged never exceeds it. Throws `invalid` AMOUNT_OUT_OF_RANGE.
 */
export function priceQuote(quoteId: string, tasks: readonly QuoteTask[], policy: FeePolicy): PricedQuote {
  const lines = tasks.map((task) => ({ ...task, what: 'compute', amountMicros: lineMicros(task) }));
  const totalMicros = inRange(lines.reduce((sum, line) => sum + line.amountMicros, 0n));
  return { quoteId, lines, totalMicros, feeBps: policy.feeBps, feePolicyVersion: policy.version };
}

function lineMicros({ priceMicrosPerGpuHour, gpuMilli, maxRunSeconds, taskCount }: QuoteTask): bigint {
  const oneTask = chargeMicros({ priceMicrosPerGpuHour, gpuMilli }, BigInt(maxRunSeconds) * 1_000n);
  return inRange(oneTask * BigInt(taskCount));
}

function inRange(micros: bigint): bigint {
  if (micros <= AMOUNT_MAX) return micros;
  const violation = {
    field: 'tasks',
    reason: 'AMOUNT_OUT_OF_RANGE',
    description: 'together cost more than 64 bits hold',
  };
  throw new DomainError(
    'invalid',
    'AMOUNT_OUT_OF_RANGE',
    'the total does not fit 64 bits',
    { micros: String(micros) },
    [violation],
  );
}
