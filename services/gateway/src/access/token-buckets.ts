import { BUCKETS_MAX } from '../limits';

export interface BucketRule {
  /** Tokens that come back in a second. */
  readonly perSecond: number;
  /** The most that a bucket holds. */
  readonly burst: number;
}

/** What RateLimit headers say. */
export interface RateState {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Until the bucket is full again. */
  readonly resetSeconds: number;
  /** Until one more request is allowed; 0 when one is. */
  readonly retrySeconds: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** One token bucket per name, in the memory of this process: replicas count for themselves. */
export class TokenBuckets {
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly rule: BucketRule,
    private readonly nowMs: () => number = Date.now,
  ) {}

  /** Takes a token where there is one. */
  take(name: string): RateState {
    const bucket = this.filled(name);
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    return this.stateOf(bucket, allowed);
  }

  /** As `take`, without taking. */
  peek(name: string): RateState {
    const bucket = this.filled(name);
    return this.stateOf(bucket, bucket.tokens >= 1);
  }

  private filled(name: string): Bucket {
    const nowMs = this.nowMs();
    const bucket = this.buckets.get(name) ?? { tokens: this.rule.burst, atMs: nowMs };
    const regained = (Math.max(0, nowMs - bucket.atMs) / 1_000) * this.rule.perSecond;
    bucket.tokens = Math.min(this.rule.burst, bucket.tokens + regained);
    bucket.atMs = nowMs;
    // Least recently used first, so that what is forgotten is most likely full.
    this.buckets.delete(name);
    this.buckets.set(name, bucket);
    for (const oldest of this.buckets.keys()) {
      if (this.buckets.size <= BUCKETS_MAX) break;
      this.buckets.delete(oldest);
    }
    return bucket;
  }

  private stateOf({ tokens }: Bucket, allowed: boolean): RateState {
    const { perSecond, burst } = this.rule;
    return {
      allowed,
      limit: burst,
      remaining: Math.max(0, Math.floor(tokens)),
      resetSeconds: Math.ceil((burst - tokens) / perSecond),
      retrySeconds: allowed ? 0 : Math.max(1, Math.ceil((1 - tokens) / perSecond)),
    };
  }
}
