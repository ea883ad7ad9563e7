import { toTimestamp } from '@daya/proto';
import { PageTokens } from '@daya/postgres';
import { GrpcService, type CallContext, type GrpcHandlers, type RequestOf } from '@daya/nest';
import { OrganisationServiceService } from '@daya/proto/registry';
import { ReadRegistry } from '../../application/read-registry';
import { ORGANISATION_KIND, wordOf } from '../proto/enums';
import { toProtoApiKey, toProtoMember, toProtoOrganisation, toProtoProject, toProtoTeam } from '../proto/organisations';
import { fromProtoTime } from '../proto/times';
import { listPage } from './list-pages';
import { OrganisationUseCases } from './use-cases';

type Rpc = typeof OrganisationServiceService;

@GrpcService(OrganisationServiceService, [OrganisationUseCases, ReadRegistry, PageTokens])
export class OrganisationController implements GrpcHandlers<Rpc> {
  constructor(
    private readonly use: OrganisationUseCases,
    private readonly read: ReadRegistry,
    private readonly tokens: PageTokens,
  ) {}

  async createOrganisation(request: RequestOf<Rpc['createOrganisation']>, { caller }: CallContext) {
    const kind = wordOf(ORGANISATION_KIND, request.kind);
    const created = await this.use.createOrganisation.execute(caller, { ...request, kind });
    return {
      organisation: toProtoOrganisation(created.organisation),
      defaultProject: toProtoProject(created.project),
      ownerKey: toProtoApiKey(created.ownerKey),
      ownerKeySecret: created.secret,
    };
  }

  async getOrganisation({ organisationId }: RequestOf<Rpc['getOrganisation']>, { caller }: CallContext) {
    return { organisation: toProtoOrganisation(await this.read.organisation(caller, organisationId)) };
  }

  async listOrganisations(request: RequestOf<Rpc['listOrganisations']>, { caller }: CallContext) {
    const list = { name: 'organisations', load: this.read.list(caller, 'organisations') };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoOrganisation);
    return { organisations: rows, nextPageToken };
  }

  async updateOrganisation(
    { requestId, organisation, updateMask }: RequestOf<Rpc['updateOrganisation']>,
    { caller }: CallContext,
  ) {
    const { organisationId = '', displayName = '' } = organisation ?? {};
    const command = { requestId, organisationId, displayName, paths: updateMask ?? [] };
    return { organisation: toProtoOrganisation(await this.use.updateOrganisation.execute(caller, command)) };
  }

  async createTeam(request: RequestOf<Rpc['createTeam']>, { caller }: CallContext) {
    return { team: toProtoTeam(await this.use.createTeam.execute(caller, request)) };
  }

  async listTeams(request: RequestOf<Rpc['listTeams']>, { caller }: CallContext) {
    const list = { name: 'teams', load: this.read.list(caller, 'teams') };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoTeam);
    return { teams: rows, nextPageToken };
  }

  async createProject(request: RequestOf<Rpc['createProject']>, { caller }: CallContext) {
    return { project: toProtoProject(await this.use.createProject.execute(caller, request)) };
  }

  async getProject({ projectId }: RequestOf<Rpc['getProject']>, { caller }: CallContext) {
    return { project: toProtoProject(await this.read.project(caller, projectId)) };
  }

  async listProjects(request: RequestOf<Rpc['listProjects']>, { caller }: CallContext) {
    const list = { name: 'projects', load: this.read.list(caller, 'projects') };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoProject);
    return { projects: rows, nextPageToken };
  }

  async updateProject({ requestId, project, updateMask }: RequestOf<Rpc['updateProject']>, { caller }: CallContext) {
    const { projectId = '', displayName = '', teamId = '', labels = {} } = project ?? {};
    const command = { requestId, projectId, displayName, teamId, labels, paths: updateMask ?? [] };
    return { project: toProtoProject(await this.use.updateProject.execute(caller, command)) };
  }

  async putMember(request: RequestOf<Rpc['putMember']>, { caller }: CallContext) {
    return { member: toProtoMember(await this.use.putMember.execute(caller, request)) };
  }

  async removeMember(request: RequestOf<Rpc['removeMember']>, { caller }: CallContext) {
    await this.use.removeMember.execute(caller, request);
    return {};
  }

  async listMembers(request: RequestOf<Rpc['listMembers']>, { caller }: CallContext) {
    const list = { name: 'members', load: this.read.list(caller, 'members') };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoMember);
    return { members: rows, nextPageToken };
  }

  async createApiKey(request: RequestOf<Rpc['createApiKey']>, { caller }: CallContext) {
    const command = { ...request, expireTime: fromProtoTime(request.expireTime) };
    const { key, secret } = await this.use.createApiKey.execute(caller, command);
    return { apiKey: toProtoApiKey(key), secret };
  }

  async listApiKeys(request: RequestOf<Rpc['listApiKeys']>, { caller }: CallContext) {
    const list = { name: 'keys', load: this.read.list(caller, 'keys') };
    const { rows, nextPageToken } = await listPage(this.tokens, caller, request, list, toProtoApiKey);
    return { apiKeys: rows, nextPageToken };
  }

  async revokeApiKey(request: RequestOf<Rpc['revokeApiKey']>, { caller }: CallContext) {
    return { apiKey: toProtoApiKey(await this.use.revokeApiKey.execute(caller, request)) };
  }

  async authenticateApiKey({ secret }: RequestOf<Rpc['authenticateApiKey']>) {
    const { keyId, organisationId, role, scopes, operator, expireTime } =
      await this.use.authenticateApiKey.execute(secret);
    return { keyId, organisationId, role, scopes: [...scopes], operator, expireTime: toTimestamp(expireTime) };
  }
}
