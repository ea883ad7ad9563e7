import { DomainError, ROLES, scopeOf, type Caller, type Clock, type IdGenerator, type Role } from '@daya/kernel';
import { assertScopesWithin, checkExpireTime, checkScopes, shown, type ApiKey } from '../domain/api-key';
import { Fields } from '../domain/fields';
import { assertMayGrant, roleOf } from '../domain/member';
import { found, memberOf, requestScope } from './caller';
import { issueKey, type WantedKey } from './issue-key';
import type { Secrets, Store, Transaction } from './ports';

export interface CreateApiKeyCommand {
  readonly requestId: string;
  readonly displayName: string;
  readonly role: string;
  readonly scopes: readonly string[];
  /** Unset: a year from now. An invalid Date stands for a malformed time. */
  readonly expireTime: Date | undefined;
}

/** Usable keys of one organisation. */
const KEYS_MAX = 1_000;

/**
 * Makes a key of the caller's organisation, never above the caller's own role and scopes. Its secret is shown once:
 * a repetition of the request id gets the key without it.
 */
export class CreateApiKey {
  constructor(
    private readonly store: Store,
    private readonly secrets: Secrets,
    private readonly ids: IdGenerator,
    private readonly clock: Clock,
  ) {}

  async execute(
    caller: Caller,
    command: CreateApiKeyCommand,
  ): Promise<{ readonly key: ApiKey; readonly secret: string }> {
    const now = this.clock.now();
    const member = memberOf(caller);
    const wanted = { ...checked(command, now), organisationId: member.organisationId };
    assertMayGrant(member.role, wanted.role);
    assertScopesWithin(member.scopes, wanted.scopes);
    const content = [wanted.displayName, wanted.role, [...wanted.scopes].sort(), command.expireTime?.toISOString()];
    const request = { scope: requestScope(caller), method: 'CreateApiKey', requestId: command.requestId, content };
    let secret = '';
    const key = await this.store.transaction(scopeOf(caller), (tx) => {
      secret = '';
      return tx.requests.once(request, async () => {
        await assertRoom(tx, member.organisationId, now);
        const issued = issueKey(this.secrets, this.ids.next(), wanted, now);
        await tx.keys.add(issued.stored);
        secret = issued.secret;
        return shown(issued.stored);
      });
    });
    return { key, secret };
  }
}

async function assertRoom(tx: Transaction, organisationId: string, now: Date): Promise<void> {
  found(await tx.tenants.lockOrganisation(organisationId), 'organisation', organisationId);
  if ((await tx.keys.usableCount(organisationId, now)) < KEYS_MAX) return;
  throw new DomainError('exhausted', 'TOO_MANY_API_KEYS', `an organisation has at most ${KEYS_MAX} usable keys`);
}

function checked(command: CreateApiKeyCommand, now: Date): Omit<WantedKey, 'organisationId'> & { readonly role: Role } {
  const fields = new Fields();
  fields.requestId(command.requestId);
  fields.displayName('display_name', command.displayName);
  const role = roleOf(command.role);
  fields.known('role', role, ROLES);
  checkScopes(fields, command.scopes);
  const expireTime = checkExpireTime(fields, command.expireTime, now);
  fields.refuse();
  return { displayName: command.displayName, role: role ?? 'viewer', scopes: command.scopes, expireTime };
}
