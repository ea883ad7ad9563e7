import { scopeOf, type Caller, type Clock, type IdGenerator } from '@daya/kernel';
import { Fields } from '../domain/fields';
import type { Team } from '../domain/organisation';
import { memberOf, requestScope } from './caller';
import type { Store } from './ports';

export interface CreateTeamCommand {
  readonly requestId: string;
  readonly displayName: string;
}

/** Adds a team to the caller's organisation. Idempotent by request id. */
export class CreateTeam {
  constructor(
    private readonly store: Store,
    private readonly ids: IdGenerator,
    private readonly clock: Clock,
  ) {}

  execute(caller: Caller, { requestId, displayName }: CreateTeamCommand): Promise<Team> {
    const fields = new Fields();
    fields.requestId(requestId);
    fields.displayName('display_name', displayName);
    fields.refuse();
    const { organisationId } = memberOf(caller);
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once(
        { scope: requestScope(caller), method: 'CreateTeam', requestId, content: [displayName] },
        async () => {
          const team = { teamId: this.ids.next(), organisationId, displayName, createTime: this.clock.now() };
          await tx.tenants.addTeam(team);
          return team;
        },
      ),
    );
  }
}
