import type { Caller, Clock, IdGenerator } from '@daya/kernel';
import { SCOPES, KEY_LIFE_MAX_MS, shown, type ApiKey } from '../domain/api-key';
import { Fields } from '../domain/fields';
import { DEFAULT_PROJECT_NAME, type Organisation, type OrganisationKind, type Project } from '../domain/organisation';
import { requestScope } from './caller';
import { issueKey } from './issue-key';
import type { Secrets, Store, Transaction } from './ports';

export interface CreateOrganisationCommand {
  readonly requestId: string;
  readonly displayName: string;
  readonly kind: OrganisationKind | undefined;
  readonly ownerEmail: string;
}

export interface CreatedOrganisation {
  readonly organisation: Organisation;
  readonly project: Project;
  readonly ownerKey: ApiKey;
}

/**
 * Makes an organisation with a default project, its first owner and a key that allows everything in it. Idempotent by
 * request id; a repetition does not show the key's secret again.
 */
export class CreateOrganisation {
  constructor(
    private readonly store: Store,
    private readonly secrets: Secrets,
    private readonly ids: IdGenerator,
    private readonly clock: Clock,
  ) {}

  async execute(
    caller: Caller,
    command: CreateOrganisationCommand,
  ): Promise<CreatedOrganisation & { readonly secret: string }> {
    const kind = checkedKind(command);
    let secret = '';
    const key = { scope: requestScope(caller), method: 'CreateOrganisation', requestId: command.requestId };
    const content = [command.displayName, kind, command.ownerEmail];
    const created = await this.store.transaction('system', (tx) => {
      secret = '';
      return tx.requests.once({ ...key, content }, async () => {
        const made = await this.create(tx, command, kind);
        secret = made.secret;
        return { organisation: made.organisation, project: made.project, ownerKey: made.ownerKey };
      });
    });
    return { ...created, secret };
  }

  private async create(tx: Transaction, command: CreateOrganisationCommand, kind: OrganisationKind) {
    const now = this.clock.now();
    const organisation: Organisation = {
      organisationId: this.ids.next(),
      displayName: command.displayName,
      kind,
      createTime: now,
      version: 1n,
    };
    const { organisationId } = organisation;
    await tx.tenants.addOrganisation(organisation);
    const project = await addDefaultProject(tx, organisationId, this.ids.next(), now);
    const email = command.ownerEmail.toLowerCase();
    await tx.tenants.putMember({
      memberId: this.ids.next(),
      organisationId,
      email,
      role: 'owner',
      teamId: undefined,
      createTime: now,
    });
    const expireTime = new Date(now.getTime() + KEY_LIFE_MAX_MS);
    const wanted = {
      organisationId,
      displayName: 'first owner key',
      role: 'owner' as const,
      scopes: SCOPES,
      expireTime,
    };
    const { stored, secret } = issueKey(this.secrets, this.ids.next(), wanted, now);
    await tx.keys.add(stored);
    await tx.events.append({ type: 'organisation-changed', organisation });
    return { organisation, project, ownerKey: shown(stored), secret };
  }
}

async function addDefaultProject(
  tx: Transaction,
  organisationId: string,
  projectId: string,
  createTime: Date,
): Promise<Project> {
  const project: Project = {
    projectId,
    organisationId,
    teamId: undefined,
    displayName: DEFAULT_PROJECT_NAME,
    labels: {},
    createTime,
    version: 1n,
  };
  await tx.tenants.addProject(project);
  return project;
}

function checkedKind(command: CreateOrganisationCommand): OrganisationKind {
  const fields = new Fields();
  fields.requestId(command.requestId);
  fields.displayName('display_name', command.displayName);
  const kind = command.kind === 'platform' ? undefined : command.kind;
  fields.known('kind', kind, ['customer', 'provider']);
  fields.email('owner_email', command.ownerEmail);
  fields.refuse();
  return kind ?? 'customer';
}
