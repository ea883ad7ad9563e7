import { scopeOf, type Caller, type Clock, type IdGenerator } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { checkLabels, type Project } from '../domain/organisation';
import { memberOf, requestScope } from './caller';
import { findTeam } from './find-team';
import type { Store } from './ports';

export interface CreateProjectCommand {
  readonly requestId: string;
  readonly displayName: string;
  /** Empty: no team. */
  readonly teamId: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Adds a project to the caller's organisation. Idempotent by request id. */
export class CreateProject {
  constructor(
    private readonly store: Store,
    private readonly ids: IdGenerator,
    private readonly clock: Clock,
  ) {}

  execute(caller: Caller, command: CreateProjectCommand): Promise<Project> {
    const { requestId, displayName, teamId, labels } = command;
    const fields = new Fields();
    fields.requestId(requestId);
    fields.displayName('display_name', displayName);
    fields.optionalUuid('team_id', teamId);
    checkLabels(fields, 'labels', labels);
    fields.refuse();
    const { organisationId } = memberOf(caller);
    const content = [displayName, teamId, Object.entries(labels).sort()];
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'CreateProject', requestId, content }, async () => {
        const team = await findTeam(tx, organisationId, teamId);
        const identity = { projectId: this.ids.next(), organisationId, createTime: this.clock.now(), version: 1n };
        const project = { ...identity, teamId: team, displayName, labels };
        await tx.tenants.addProject(project);
        return project;
      }),
    );
  }
}
