import { SCOPES, toTimestamp } from '@daya/proto';
import { OrganisationKind, OrganisationServiceService } from '@daya/proto/registry';
import { control, type Control } from '../control';
import { distinct, enumeration, list, mask, optionalUuid, shaped, text, timestamp, type Rule } from '../rules';
import { displayName, labels, outputs, page } from './registry-fields';
import type { World } from '../world';

const YEAR_MS = 300 * 86_400_000;

const BAD_EMAILS = [
  'x',
  'a@',
  '@b.example',
  'a@b',
  'a b@c.example',
  'a@b@c.example',
  'a@.example',
  'a@b.',
  'a@b..c',
  '\0@b.example',
  'a@b.example\n',
  `${'a'.repeat(250)}@b.example`,
];
const BAD_ROLES = ['root', 'OWNER', 'owner ', 'god', 'viewer\0', 'null', 'x'.repeat(5_000), '*'];
const BAD_SCOPES = ['jobs', 'jobs:*', '*', 'JOBS:READ', 'jobs:read ', 'jobs:delete', '\0', 'x'.repeat(5_000)];
const past = BigInt(Math.floor(Date.now() / 1_000) - 60);
const tooLate = BigInt(Math.floor(Date.now() / 1_000) + 400 * 86_400);

const { createOrganisation, getOrganisation, listOrganisations, updateOrganisation, createTeam, listTeams } =
  OrganisationServiceService;
const { createProject, getProject, listProjects, updateProject, putMember, removeMember, listMembers } =
  OrganisationServiceService;
const { createApiKey, listApiKeys, revokeApiKey, authenticateApiKey } = OrganisationServiceService;

const team = async (world: World): Promise<string> =>
  world.as('customer', 'registry', OrganisationServiceService, async (client, options) => {
    const { team: made } = await client.createTeam({ requestId: world.requestId(), displayName: 'blue' }, options);
    return made?.teamId ?? '';
  });

const newMember = async (world: World): Promise<string> =>
  world.as('customer', 'registry', OrganisationServiceService, async (client, options) => {
    const request = {
      requestId: world.requestId(),
      email: `${world.requestId()}@example.org`,
      role: 'viewer',
      teamId: '',
    };
    return (await client.putMember(request, options)).member?.memberId ?? '';
  });

const newKey = async (world: World): Promise<string> =>
  world.as('customer', 'registry', OrganisationServiceService, async (client, options) => {
    const request = {
      requestId: world.requestId(),
      displayName: 'key',
      role: 'viewer',
      scopes: [],
      expireTime: undefined,
    };
    return (await client.createApiKey(request, options)).apiKey?.keyId ?? '';
  });

const ORGANISATIONS: readonly Control[] = [
  control(createOrganisation, {
    as: 'operator',
    request: (world) => ({
      requestId: world.requestId(),
      displayName: 'hostile',
      kind: OrganisationKind.CUSTOMER,
      ownerEmail: `${world.requestId()}@example.org`,
    }),
    rules: { display_name: displayName(), kind: enumeration({ refused: [3n] }), owner_email: shaped(BAD_EMAILS) },
  }),
  control(getOrganisation, {
    as: 'customer',
    request: async (world) => ({ organisationId: (await world.customer()).organisationId }),
  }),
  control(listOrganisations, { as: 'customer', request: () => page }),
  control(updateOrganisation, {
    as: 'customer',
    request: async (world) => {
      const { organisationId } = await world.customer();
      const organisation = {
        organisationId,
        displayName: 'renamed',
        kind: OrganisationKind.UNSPECIFIED,
        createTime: undefined,
        version: 0n,
      };
      return { requestId: world.requestId(), organisation, updateMask: ['display_name'] };
    },
    rules: {
      'organisation.display_name': displayName(),
      ...outputs('organisation', ['kind', 'create_time', 'version']),
      update_mask: mask(['display_name']),
    },
  }),
  control(createTeam, {
    as: 'customer',
    request: (world) => ({ requestId: world.requestId(), displayName: 'red' }),
    rules: { display_name: displayName() },
  }),
  control(listTeams, { as: 'customer', request: () => page }),
];

const PROJECTS: readonly Control[] = [
  control(createProject, {
    as: 'customer',
    request: async (world) => ({
      requestId: world.requestId(),
      displayName: 'films',
      teamId: await team(world),
      labels: { cost: 'low', owner: 'me' },
    }),
    rules: { display_name: displayName(), team_id: optionalUuid(), ...labels('labels') },
  }),
  control(getProject, {
    as: 'customer',
    request: async (world) => ({ projectId: (await world.customer()).projectId }),
  }),
  control(listProjects, { as: 'customer', request: () => page }),
  control(updateProject, {
    as: 'customer',
    request: async (world) => {
      const { projectId } = await world.customer();
      const values = { displayName: 'renamed', teamId: await team(world), labels: { cost: 'high' } };
      const project = { projectId, organisationId: '', createTime: undefined, version: 0n, ...values };
      return { requestId: world.requestId(), project, updateMask: ['display_name', 'labels', 'team_id'] };
    },
    rules: {
      ...outputs('project', ['organisation_id', 'create_time', 'version']),
      'project.display_name': displayName(),
      'project.team_id': optionalUuid(),
      ...labels('project.labels'),
      update_mask: mask(['display_name', 'labels', 'team_id']),
    },
  }),
];

const MEMBERS: readonly Control[] = [
  control(putMember, {
    as: 'customer',
    request: async (world) => ({
      requestId: world.requestId(),
      email: `${world.requestId()}@example.org`,
      role: 'member',
      teamId: await team(world),
    }),
    rules: { email: shaped(BAD_EMAILS), role: shaped(BAD_ROLES), team_id: optionalUuid() },
  }),
  control(removeMember, {
    as: 'customer',
    request: async (world) => ({ requestId: world.requestId(), memberId: await newMember(world) }),
  }),
  control(listMembers, { as: 'customer', request: () => page }),
  control(createApiKey, {
    as: 'customer',
    request: (world) => ({
      requestId: world.requestId(),
      displayName: 'key',
      role: 'member',
      scopes: ['jobs:read', 'jobs:write'],
      expireTime: toTimestamp(new Date(Date.now() + YEAR_MS)),
    }),
    rules: {
      display_name: displayName(),
      role: shaped(BAD_ROLES),
      scopes: list(distinctAt('scopes[2]', shaped(BAD_SCOPES)), { max: SCOPES.length }),
      expire_time: timestamp([0n, 1n, past, tooLate], false),
    },
  }),
  control(listApiKeys, { as: 'customer', request: () => page }),
  control(revokeApiKey, {
    as: 'customer',
    request: async (world) => ({ requestId: world.requestId(), keyId: await newKey(world) }),
  }),
  control(authenticateApiKey, {
    as: 'gateway',
    request: async (world) => ({ secret: (await world.customer()).keySecret }),
    rules: { secret: text(256) },
  }),
];

/** An element twice is named at its second place. */
function distinctAt(field: string, element: Rule): Rule {
  const { lists } = distinct(element);
  return { ...element, lists: lists.map((one) => ({ ...one, at: field.replace(/^\w+/, '') })) };
}

export const ORGANISATION: readonly Control[] = [...ORGANISATIONS, ...PROJECTS, ...MEMBERS];
