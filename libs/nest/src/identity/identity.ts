import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { errors, jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { z } from 'zod';
import { DomainError, ROLES, type Caller } from '@daya/kernel';
import { TokenCache } from './token-cache';

export type Member = Extract<Caller, { kind: 'member' }>;

/** No token lives longer; a revoked one is worthless after this. */
export const TOKEN_LIFE_SECONDS = 60;
const RENEW_BEFORE_END_MS = 20_000;
const CLOCK_TOLERANCE_SECONDS = 5;
const CALLER_AUDIENCE = 'daya:callers';
/** The only service whose word about a member counts. */
const VOUCHER = 'gateway';
const SERVICE_TYPE = 'daya-service+jwt';
const CALLER_TYPE = 'daya-caller+jwt';

const callerClaims = z.object({
  org: z.string().min(1),
  role: z.enum(ROLES),
  scopes: z.array(z.string()),
  kid: z.string(),
  operator: z.boolean(),
});
const jwksFile = z.object({
  keys: z.array(z.looseObject({ kid: z.string(), kty: z.literal('OKP'), crv: z.literal('Ed25519') })),
});

export interface IdentityOptions {
  readonly service: string;
  /** Private Ed25519 JWK. */
  readonly keyFile: string;
  /** Public keys of all services; kid = service name. */
  readonly jwksFile: string;
  readonly nowMs?: () => number;
}

/** Who this service is, towards its peers: mints its own tokens and verifies theirs. */
export class Identity {
  readonly service: string;
  private readonly key: KeyObject;
  private readonly peers: ReadonlyMap<string, KeyObject>;
  private readonly nowMs: () => number;
  private readonly services: TokenCache<string>;
  private readonly callers: TokenCache<Member>;
  private readonly minted = new Map<string, { readonly token: string; readonly renewAtMs: number }>();

  /** Throws when a file is missing or holds no Ed25519 key. */
  constructor(options: IdentityOptions) {
    this.service = options.service;
    this.nowMs = options.nowMs ?? Date.now;
    this.services = new TokenCache(this.nowMs);
    this.callers = new TokenCache(this.nowMs);
    this.key = createPrivateKey({
      format: 'jwk',
      key: JSON.parse(readFileSync(options.keyFile, 'utf8')) as JsonWebKey,
    });
    const { keys } = jwksFile.parse(JSON.parse(readFileSync(options.jwksFile, 'utf8')));
    this.peers = new Map(keys.map((jwk) => [jwk.kid, createPublicKey({ format: 'jwk', key: jwk as JsonWebKey })]));
  }

  /** This service's word that it calls `audience`; the same token for some 40 s. */
  serviceToken(audience: string): string | Promise<string> {
    const remembered = this.minted.get(audience);
    if (remembered !== undefined && remembered.renewAtMs > this.nowMs()) return remembered.token;
    return this.mint(audience, SERVICE_TYPE, audience, {});
  }

  /** The gateway's word about a member; any other service's is refused by those who read it. */
  callerToken(caller: Member): string | Promise<string> {
    const claims = {
      org: caller.organisationId,
      role: caller.role,
      scopes: caller.scopes,
      kid: caller.keyId,
      operator: caller.operator,
    };
    const cacheKey = JSON.stringify(claims);
    const remembered = this.minted.get(cacheKey);
    if (remembered !== undefined && remembered.renewAtMs > this.nowMs()) return remembered.token;
    return this.mint(cacheKey, CALLER_TYPE, CALLER_AUDIENCE, claims);
  }

  /** The calling service's name, when this very token was verified before and still holds. */
  rememberedService(token: string): string | undefined {
    return this.services.get(token);
  }

  rememberedCaller(token: string): Member | undefined {
    return this.callers.get(token);
  }

  /** Returns the calling service's name. Throws `unauthenticated` TOKEN_INVALID or TOKEN_EXPIRED. */
  async verifyServiceToken(token: string): Promise<string> {
    const { payload, kid } = await this.verify(token, SERVICE_TYPE, this.service, 'TOKEN');
    this.services.put(token, kid, (payload.exp ?? 0) * 1_000);
    return kid;
  }

  /** Returns the member that the gateway vouches for. Throws `unauthenticated` CALLER_TOKEN_INVALID or CALLER_TOKEN_EXPIRED. */
  async verifyCallerToken(token: string): Promise<Member> {
    const { payload, kid } = await this.verify(token, CALLER_TYPE, CALLER_AUDIENCE, 'CALLER_TOKEN');
    const claims = callerClaims.safeParse(payload);
    if (kid !== VOUCHER || !claims.success) throw refused('CALLER_TOKEN_INVALID');
    const { org, role, scopes, kid: keyId, operator } = claims.data;
    const caller: Member = { kind: 'member', organisationId: org, role, scopes, keyId, operator };
    this.callers.put(token, caller, (payload.exp ?? 0) * 1_000);
    return caller;
  }

  private async mint(cacheKey: string, type: string, audience: string, claims: JWTPayload): Promise<string> {
    const nowSeconds = Math.floor(this.nowMs() / 1_000);
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', kid: this.service, typ: type })
      .setIssuer(this.service)
      .setAudience(audience)
      .setIssuedAt(nowSeconds)
      .setExpirationTime(nowSeconds + TOKEN_LIFE_SECONDS)
      .sign(this.key);
    if (this.minted.size > 10_000) this.minted.clear();
    this.minted.set(cacheKey, { token, renewAtMs: (nowSeconds + TOKEN_LIFE_SECONDS) * 1_000 - RENEW_BEFORE_END_MS });
    return token;
  }

  private async verify(
    token: string,
    type: string,
    audience: string,
    reasonPrefix: string,
  ): Promise<{ payload: JWTPayload; kid: string }> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, ({ kid }) => this.peerKey(kid), {
        algorithms: ['EdDSA'],
        audience,
        typ: type,
        requiredClaims: ['exp', 'iat', 'iss'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(this.nowMs()),
      });
      const { exp = Infinity, iat = 0, iss } = payload;
      const latestSeconds = this.nowMs() / 1_000 + TOKEN_LIFE_SECONDS + CLOCK_TOLERANCE_SECONDS;
      if (iss !== protectedHeader.kid || exp - iat > TOKEN_LIFE_SECONDS || exp > latestSeconds)
        throw refused(`${reasonPrefix}_INVALID`);
      return { payload, kid: protectedHeader.kid ?? '' };
    } catch (error) {
      if (error instanceof DomainError) throw error;
      throw refused(error instanceof errors.JWTExpired ? `${reasonPrefix}_EXPIRED` : `${reasonPrefix}_INVALID`);
    }
  }

  private peerKey(kid: string | undefined): KeyObject {
    const key = kid === undefined ? undefined : this.peers.get(kid);
    if (key === undefined) throw refused('TOKEN_INVALID');
    return key;
  }
}

const refused = (reason: string): DomainError =>
  new DomainError('unauthenticated', reason, 'the identity token does not hold');
