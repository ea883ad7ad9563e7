import { ROLES, scopeOf, type Caller, type Clock, type IdGenerator, type Role } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { assertMayGrant, assertOwnerStays, roleOf, type Member } from '../domain/member';
import { found, memberOf, requestScope } from './caller';
import { findTeam } from './find-team';
import type { Store, Transaction } from './ports';

export interface PutMemberCommand {
  readonly requestId: string;
  readonly email: string;
  readonly role: string;
  /** Empty: no team. */
  readonly teamId: string;
}

/**
 * Adds a member to the caller's organisation, or changes the one of that e-mail address. The last owner stays one
 * (`precondition` LAST_OWNER). Idempotent by request id.
 */
export class PutMember {
  constructor(
    private readonly store: Store,
    private readonly ids: IdGenerator,
    private readonly clock: Clock,
  ) {}

  execute(caller: Caller, command: PutMemberCommand): Promise<Member> {
    const role = checkedRole(command);
    const { organisationId, role: own } = memberOf(caller);
    assertMayGrant(own, role);
    const email = command.email.toLowerCase();
    const key = { scope: requestScope(caller), method: 'PutMember', requestId: command.requestId };
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once({ ...key, content: [email, role, command.teamId] }, async () => {
        found(await tx.tenants.lockOrganisation(organisationId), 'organisation', organisationId);
        const current = await tx.tenants.memberByEmail(organisationId, email);
        await assertMayChange(tx, own, current, role);
        const teamId = await findTeam(tx, organisationId, command.teamId);
        const fresh = { memberId: this.ids.next(), organisationId, email, createTime: this.clock.now() };
        const member = { ...(current ?? fresh), role, teamId };
        await tx.tenants.putMember(member);
        return member;
      }),
    );
  }
}

/** `next` is undefined when the member leaves. */
export async function assertMayChange(
  tx: Transaction,
  own: Role,
  current: Member | undefined,
  next: Role | undefined,
): Promise<void> {
  if (current === undefined) return;
  assertMayGrant(own, current.role);
  assertOwnerStays(current.role, next, await tx.tenants.ownerCount(current.organisationId));
}

function checkedRole({ requestId, email, role, teamId }: PutMemberCommand): Role {
  const fields = new Fields();
  fields.requestId(requestId);
  fields.email('email', email);
  const known = roleOf(role);
  fields.known('role', known, ROLES);
  fields.optionalUuid('team_id', teamId);
  fields.refuse();
  return known ?? 'viewer';
}
