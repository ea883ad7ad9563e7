import { scopeOf, type Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { changed, checkLabels, masked, type Project } from '../domain/organisation';
import { found, requestScope } from './caller';
import { findTeam } from './find-team';
import type { Store } from './ports';

export interface UpdateProjectCommand {
  readonly requestId: string;
  readonly projectId: string;
  readonly displayName: string;
  readonly teamId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly paths: readonly string[];
}

const NAMES = { display_name: 'displayName', labels: 'labels', team_id: 'teamId' } as const satisfies Record<
  string,
  keyof Project
>;

/** Changes what the mask names. Idempotent by request id. */
export class UpdateProject {
  constructor(private readonly store: Store) {}

  execute(caller: Caller, command: UpdateProjectCommand): Promise<Project> {
    check(command);
    const { requestId, projectId, displayName, teamId, labels, paths } = command;
    const content = [projectId, displayName, teamId, Object.entries(labels).sort(), [...paths].sort()];
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'UpdateProject', requestId, content }, async () => {
        const current = found(await tx.tenants.lockProject(projectId), 'project', projectId);
        const team = paths.includes('team_id') ? await findTeam(tx, current.organisationId, teamId) : current.teamId;
        const next = changed(current, masked<Project>({ ...current, displayName, labels, teamId: team }, paths, NAMES));
        await tx.tenants.saveProject(next);
        return next;
      }),
    );
  }
}

function check({ requestId, projectId, displayName, teamId, labels, paths }: UpdateProjectCommand): void {
  const fields = new Fields();
  fields.requestId(requestId);
  fields.uuid('project.project_id', projectId);
  fields.mask(paths, Object.keys(NAMES));
  if (paths.includes('display_name')) fields.displayName('project.display_name', displayName);
  if (paths.includes('team_id')) fields.optionalUuid('project.team_id', teamId);
  if (paths.includes('labels')) checkLabels(fields, 'project.labels', labels);
  fields.refuse();
}
