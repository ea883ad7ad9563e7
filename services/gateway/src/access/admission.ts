import { DomainError } from '@daya/kernel';
import type { KeyRing, Member } from './key-ring';
import type { RateState, TokenBuckets } from './token-buckets';

/** A request that was let in. */
export interface Admitted {
  readonly member: Member;
  readonly secret: string;
  readonly rate: RateState;
}

/** A limit was reached; `rate` says when to come again. */
export class RateLimited extends DomainError {
  constructor(readonly rate: RateState) {
    const retryAfter = String(rate.retrySeconds);
    super('exhausted', 'RATE_LIMITED', `too many requests: try again in ${retryAfter} s`, {
      retry_after_seconds: retryAfter,
    });
  }
}

/**
 * Who comes in: key, then rate. Requests without a good key count against their address, and once that is used up no
 * further key of it is looked up, except those that were good a moment ago.
 */
export class Admission {
  constructor(
    private readonly keys: KeyRing,
    private readonly byKey: TokenBuckets,
    private readonly byAddress: TokenBuckets,
  ) {}

  /** `authorization`: the header's text. Throws what KeyRing throws, and RateLimited. */
  async admit(authorization: string | undefined, address: string): Promise<Admitted> {
    const secret = secretOf(authorization);
    if (!this.keys.wasGood(secret)) this.require(this.byAddress.peek(address));
    const member = await this.authenticate(secret, address);
    return { member, secret: secret ?? '', rate: this.require(this.byKey.take(member.keyId)) };
  }

  /** For what is open to everyone. Throws RateLimited. */
  admitAnyone(address: string): RateState {
    return this.require(this.byAddress.take(address));
  }

  private async authenticate(secret: string | undefined, address: string): Promise<Member> {
    try {
      return await this.keys.authenticate(secret);
    } catch (error) {
      if (error instanceof DomainError && error.kind === 'unauthenticated') this.require(this.byAddress.take(address));
      throw error;
    }
  }

  private require(rate: RateState): RateState {
    if (!rate.allowed) throw new RateLimited(rate);
    return rate;
  }
}

function secretOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined;
  const [scheme = '', secret, ...rest] = authorization.trim().split(/ +/);
  // Whatever else was sent is no API key of ours: it is refused as one.
  return scheme.toLowerCase() === 'bearer' && rest.length === 0 ? secret : '';
}
