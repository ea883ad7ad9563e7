export interface RateRule {
  readonly burst: number;
  readonly perMinute: number;
}

interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

const ADDRESSES_MAX = 50_000;
const MINUTE_MS = 60_000;

/** A token bucket for each address. When there are too many addresses, those that are full again are forgotten first. */
export class RateLimit {
  private buckets = new Map<string, Bucket>();

  constructor(private readonly rule: RateRule) {}

  /** 0 when the call may go on; else the milliseconds until it may. */
  take(address: string, nowMs: number): number {
    const tokens = this.tokensAt(this.buckets.get(address), nowMs);
    if (tokens < 1) return Math.ceil(((1 - tokens) * MINUTE_MS) / this.rule.perMinute);
    if (this.buckets.size >= ADDRESSES_MAX) this.makeRoom(nowMs);
    this.buckets.set(address, { tokens: tokens - 1, atMs: nowMs });
    return 0;
  }

  private tokensAt(bucket: Bucket | undefined, nowMs: number): number {
    if (bucket === undefined) return this.rule.burst;
    const refill = ((nowMs - bucket.atMs) * this.rule.perMinute) / MINUTE_MS;
    return Math.min(this.rule.burst, bucket.tokens + Math.max(0, refill));
  }

  private makeRoom(nowMs: number): void {
    for (const [address, bucket] of this.buckets) {
      if (this.tokensAt(bucket, nowMs) >= this.rule.burst) this.buckets.delete(address);
    }
    if (this.buckets.size >= ADDRESSES_MAX) this.buckets.clear();
  }
}
