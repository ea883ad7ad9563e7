import { toTimestamp } from '@daya/proto';
import type {
  ApiKey as ApiKeyProto,
  Member as MemberProto,
  Organisation as OrganisationProto,
  Project as ProjectProto,
  Team as TeamProto,
} from '@daya/proto/registry';
import type { ApiKey } from '../../domain/api-key';
import type { Member } from '../../domain/member';
import type { Organisation, Project, Team } from '../../domain/organisation';
import { ORGANISATION_KIND } from './enums';

export const toProtoOrganisation = (organisation: Organisation): OrganisationProto => ({
  ...organisation,
  kind: ORGANISATION_KIND[organisation.kind],
  createTime: toTimestamp(organisation.createTime),
});

export const toProtoTeam = (team: Team): TeamProto => ({ ...team, createTime: toTimestamp(team.createTime) });

export const toProtoProject = (project: Project): ProjectProto => ({
  ...project,
  teamId: project.teamId ?? '',
  labels: { ...project.labels },
  createTime: toTimestamp(project.createTime),
});

export const toProtoMember = (member: Member): MemberProto => ({
  ...member,
  teamId: member.teamId ?? '',
  createTime: toTimestamp(member.createTime),
});

export const toProtoApiKey = (key: ApiKey): ApiKeyProto => ({
  ...key,
  scopes: [...key.scopes],
  createTime: toTimestamp(key.createTime),
  expireTime: toTimestamp(key.expireTime),
  revokeTime: key.revokeTime && toTimestamp(key.revokeTime),
});
