import { scopeOf, type Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { found, requestScope, roleOfCaller } from './caller';
import type { Store } from './ports';
import { assertMayChange } from './put-member';

export interface RemoveMemberCommand {
  readonly requestId: string;
  readonly memberId: string;
}

/** Removes a member; the last owner stays (`precondition` LAST_OWNER). Idempotent by request id. */
export class RemoveMember {
  constructor(private readonly store: Store) {}

  async execute(caller: Caller, { requestId, memberId }: RemoveMemberCommand): Promise<void> {
    const fields = new Fields();
    fields.requestId(requestId);
    fields.uuid('member_id', memberId);
    fields.refuse();
    await this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once(
        { scope: requestScope(caller), method: 'RemoveMember', requestId, content: [memberId] },
        async () => {
          const { organisationId } = found(await tx.tenants.member(memberId), 'member', memberId);
          await tx.tenants.lockOrganisation(organisationId);
          // Read again under the lock: another call may have changed or removed them.
          const member = found(await tx.tenants.member(memberId), 'member', memberId);
          await assertMayChange(tx, roleOfCaller(caller), member, undefined);
          await tx.tenants.removeMember(memberId);
          return {};
        },
      ),
    );
  }
}
