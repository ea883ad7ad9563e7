import { status } from '@grpc/grpc-js';
import { DomainError, ROLES, type Caller, type Role } from '@daya/kernel';
import { GrpcCallError } from '@daya/nest';
import { fromTimestamp } from '@daya/proto';
import type { AuthenticateApiKeyResponse } from '@daya/proto/registry';
import { BAD_KEY_CACHE_MS, KEY_CACHE_MAX, KEY_CACHE_MS } from '../limits';
import { fingerprintOf, looksLikeApiKey } from './api-key';

export type Member = Extract<Caller, { kind: 'member' }>;

/** Who a key stands for, by registry's word. */
export abstract class KeyAuthority {
  /** Throws GrpcCallError. */
  abstract authenticate(secret: string): Promise<AuthenticateApiKeyResponse>;
}

interface Entry {
  readonly answer: Promise<Member>;
  /** Until when it may be used; Infinity while registry is being asked. */
  untilMs: number;
  /** The last word was good. */
  good: boolean;
}

/**
 * Exchanges API keys for members. An answer is used for at most KEY_CACHE_MS after the moment it was asked for, so a
 * revoked key dies within that time; a key that expires dies on time.
 */
export class KeyRing {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly authority: KeyAuthority,
    private readonly nowMs: () => number = Date.now,
  ) {}

  /**
   * Throws `unauthenticated` API_KEY_MISSING, API_KEY_INVALID, API_KEY_EXPIRED, API_KEY_REVOKED; `unavailable`
   * REGISTRY_UNAVAILABLE.
   */
  async authenticate(secret: string | undefined): Promise<Member> {
    if (secret === undefined) throw refused('API_KEY_MISSING', 'send an API key: Authorization: Bearer daya_…');
    if (!looksLikeApiKey(secret)) throw refused('API_KEY_INVALID', 'the API key is not valid');
    const fingerprint = fingerprintOf(secret);
    const known = this.entries.get(fingerprint);
    if (known !== undefined && known.untilMs > this.nowMs()) return known.answer;
    return this.ask(secret, fingerprint);
  }

  /** The key was good when registry was last asked: its owner is no guesser. */
  wasGood(secret: string | undefined): boolean {
    return secret !== undefined && this.entries.get(fingerprintOf(secret))?.good === true;
  }

  private ask(secret: string, fingerprint: string): Promise<Member> {
    const askedMs = this.nowMs();
    const wasGood = this.entries.get(fingerprint)?.good ?? false;
    const answer = this.authority.authenticate(secret);
    const entry: Entry = {
      answer: answer.then(toMember, (error: unknown) => Promise.reject(refusalOf(error))),
      untilMs: Infinity,
      good: wasGood,
    };
    this.remember(fingerprint, entry);
    answer.then(
      ({ expireTime }) => {
        entry.good = true;
        const expireMs = expireTime === undefined ? Infinity : fromTimestamp(expireTime).getTime();
        entry.untilMs = Math.min(askedMs + KEY_CACHE_MS, expireMs);
      },
      (error: unknown) => {
        // An outage says nothing about the key: the next request asks again.
        const judged = isJudgement(error);
        entry.untilMs = judged ? askedMs + BAD_KEY_CACHE_MS : 0;
        if (judged) entry.good = false;
      },
    );
    return entry.answer;
  }

  /** The oldest answers go first when there are too many. */
  private remember(fingerprint: string, entry: Entry): void {
    this.entries.delete(fingerprint);
    this.entries.set(fingerprint, entry);
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= KEY_CACHE_MAX) break;
      this.entries.delete(oldest);
    }
  }
}

const refused = (reason: string, message: string): DomainError => new DomainError('unauthenticated', reason, message);

const MESSAGES: Readonly<Record<string, string>> = {
  API_KEY_REVOKED: 'the API key was revoked',
  API_KEY_EXPIRED: 'the API key has expired',
};

const isJudgement = (error: unknown): boolean =>
  error instanceof GrpcCallError &&
  ((error.code === status.UNAUTHENTICATED && error.reason.startsWith('API_KEY_')) ||
    error.code === status.INVALID_ARGUMENT);

function refusalOf(error: unknown): Error {
  if (isJudgement(error)) {
    const { reason } = error as GrpcCallError;
    const message = MESSAGES[reason];
    return message === undefined ? refused('API_KEY_INVALID', 'the API key is not valid') : refused(reason, message);
  }
  return new DomainError('unavailable', 'REGISTRY_UNAVAILABLE', 'API keys cannot be checked now: try again');
}

function toMember(answer: AuthenticateApiKeyResponse): Member {
  const { keyId, organisationId, role, scopes, operator } = answer;
  if (!ROLES.some((one) => one === role)) throw new Error(`registry answered with the role ${role}`);
  return { kind: 'member', organisationId, role: role as Role, scopes: [...scopes].sort(), keyId, operator };
}
