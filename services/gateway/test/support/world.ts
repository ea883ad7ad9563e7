import { DomainError } from '@daya/kernel';
import { createLogger, loadConfig, type RunningService } from '@daya/nest';
import { SCOPES, toTimestamp } from '@daya/proto';
import { AuthenticateApiKeyResponse, OrganisationServiceService } from '@daya/proto/registry';
import { testEnvironment, testIdentity } from '@daya/testing';
import { checksumOf } from '../../src/access/api-key';
import { configSchema } from '../../src/config';
import type { Problem } from '../../src/http/problem';
import { startGateway } from '../../src/service';
import { FakePeers, PEER_NAMES } from './fake-peers';

/** A well-formed key that registry may or may not know. */
export function aKey(seed: string): string {
  const body = `daya_${seed.padEnd(11, '0').slice(0, 11)}_${seed.padEnd(43, 'z').slice(0, 43)}`;
  return `${body}_${checksumOf(body)}`;
}

export interface FakeKey {
  readonly organisationId: string;
  readonly role?: string;
  readonly operator?: boolean;
  readonly scopes?: readonly string[];
  readonly expireTime?: Date;
  revoked?: boolean;
}

export const ALICE = aKey('alice');
export const OPERATOR = aKey('operator');

/** A gateway with fake services behind it, all over real sockets. */
export class World {
  readonly keys = new Map<string, FakeKey>([
    [ALICE, { organisationId: 'org-alice', role: 'owner' }],
    [OPERATOR, { organisationId: 'org-platform', role: 'owner', operator: true }],
  ]);
  /** How often registry was asked about a key. */
  authentications = 0;

  private constructor(
    readonly peers: FakePeers,
    public gateway: RunningService,
    readonly ca: Buffer,
    private readonly removeIdentity: () => void,
  ) {}

  static async start(more: Readonly<Record<string, string>> = {}): Promise<World> {
    const identity = await testIdentity(['gateway', ...PEER_NAMES]);
    const peers = new FakePeers(identity);
    await peers.start();
    const urls = Object.fromEntries(PEER_NAMES.map((name) => [`${name.toUpperCase()}_URL`, peers.url(name)]));
    const env = testEnvironment({
      service: 'gateway',
      identity,
      more: { HTTP_PORT: '0', PARTNER_PORT: '0', DRAIN_MS: '2000', LOG_LEVEL: 'fatal', ...urls, ...more },
    });
    const config = loadConfig(configSchema, env);
    const log = createLogger({ LOG_LEVEL: config.LOG_LEVEL, SERVICE: 'gateway' });
    const gateway = await startGateway(config, { ownsProcess: false, log });
    const world = new World(peers, gateway, identity.ca, () => identity.remove());
    peers.handle(OrganisationServiceService.authenticateApiKey, ({ secret }) => world.authenticate(secret));
    return world;
  }

  get http(): string {
    return `http://127.0.0.1:${this.gateway.ports['http']}`;
  }

  get partnerUrl(): string {
    return `127.0.0.1:${this.gateway.ports['partner']}`;
  }

  fetch(path: string, options: RequestInit & { readonly key?: string } = {}): Promise<Response> {
    const { key = ALICE, ...rest } = options;
    return fetch(this.http + path, {
      ...rest,
      headers: { authorization: `Bearer ${key}`, ...(rest.headers as Record<string, string>) },
    } as RequestInit);
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: text,
    });
  }

  async problem(response: Promise<Response>): Promise<Problem> {
    const answer = await response;
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    const problem = (await answer.json()) as Problem;
    expect(problem.status).toBe(answer.status);
    return problem;
  }

  async stop(): Promise<void> {
    await this.gateway.stop();
    await this.peers.stop();
    this.removeIdentity();
  }

  private async authenticate(secret: string): Promise<AuthenticateApiKeyResponse> {
    this.authentications += 1;
    const key = this.keys.get(secret);
    if (key === undefined) throw new DomainError('unauthenticated', 'API_KEY_INVALID', 'the key is not valid');
    if (key.revoked === true) throw new DomainError('unauthenticated', 'API_KEY_REVOKED', 'the key was revoked');
    const expireTime = key.expireTime ?? new Date(Date.now() + 3_600_000);
    if (expireTime.getTime() <= Date.now())
      throw new DomainError('unauthenticated', 'API_KEY_EXPIRED', 'the key has expired');
    return AuthenticateApiKeyResponse.fromPartial({
      keyId: `key-of-${key.organisationId}`,
      organisationId: key.organisationId,
      role: key.role ?? 'owner',
      scopes: [...(key.scopes ?? SCOPES)],
      operator: key.operator ?? false,
      expireTime: toTimestamp(expireTime),
    });
  }
}

/** Server-sent events as they come, until the stream ends. */
export async function* eventsOf(
  response: Response,
): AsyncGenerator<{ id?: string; event?: string; data?: string; comment?: string }> {
  let buffer = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    buffer += decoder.decode(chunk, { stream: true });
    let end: number;
    while ((end = buffer.indexOf('\n\n')) >= 0) {
      const lines = buffer.slice(0, end).split('\n');
      buffer = buffer.slice(end + 2);
      yield Object.fromEntries(
        lines.map((line) => {
          const colon = line.indexOf(':');
          return [colon === 0 ? 'comment' : line.slice(0, colon), line.slice(colon + 1).trim()];
        }),
      );
    }
  }
}
