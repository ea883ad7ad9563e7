import { scopeOf, type Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { changed, masked, type Organisation } from '../domain/organisation';
import { found, requestScope } from './caller';
import type { Store } from './ports';

export interface UpdateOrganisationCommand {
  readonly requestId: string;
  readonly organisationId: string;
  readonly displayName: string;
  readonly paths: readonly string[];
}

const PATHS = ['display_name'];

/** Changes what the mask names and tells it. Idempotent by request id. */
export class UpdateOrganisation {
  constructor(private readonly store: Store) {}

  execute(caller: Caller, command: UpdateOrganisationCommand): Promise<Organisation> {
    const { requestId, organisationId, displayName, paths } = command;
    const fields = new Fields();
    fields.requestId(requestId);
    fields.uuid('organisation.organisation_id', organisationId);
    fields.mask(paths, PATHS);
    if (paths.includes('display_name')) fields.displayName('organisation.display_name', displayName);
    fields.refuse();
    const content = [organisationId, displayName, [...paths].sort()];
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'UpdateOrganisation', requestId, content }, async () => {
        const current = found(await tx.tenants.lockOrganisation(organisationId), 'organisation', organisationId);
        const next = changed(
          current,
          masked<Organisation>({ ...current, displayName }, paths, { display_name: 'displayName' }),
        );
        await tx.tenants.saveOrganisation(next);
        await tx.events.append({ type: 'organisation-changed', organisation: next });
        return next;
      }),
    );
  }
}
