import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { OrganisationKind } from '@daya/proto/registry';
import { SCOPES as ASKED_SCOPES, toTimestamp } from '@daya/proto';
import { as, aMember, OPERATOR, PEPPER, refusalOf, TestRegistry } from './harness';
import { bootstrapOperator } from '../src/bootstrap';
import { SCOPES } from '../src/domain/api-key';
import { PLATFORM_ORGANISATION_ID, PLATFORM_PROJECT_ID } from '../src/domain/organisation';

let registry: TestRegistry;
let client: ReturnType<TestRegistry['organisations']>;
beforeAll(async () => {
  registry = await TestRegistry.start();
  client = registry.organisations();
});
afterAll(async () => {
  await registry.stop();
});

const authenticate = (secret: string) => client.authenticateApiKey({ secret });
const aKeyRequest = (overrides = {}) => ({
  requestId: randomUUID(),
  displayName: 'ci',
  role: 'member',
  scopes: ['jobs:read', 'jobs:write'],
  expireTime: undefined,
  ...overrides,
});

test('a key can be allowed what some method asks for, and nothing else', () => {
  expect([...SCOPES]).toEqual(ASKED_SCOPES);
});

test('an organisation comes with a default project, an owner and a key that authenticates as its owner', async () => {
  const { organisation, defaultProject, ownerKey, ownerKeySecret, owner } = await registry.anOrganisation(
    'Acme',
    OrganisationKind.CUSTOMER,
  );
  expect(await authenticate(ownerKeySecret)).toMatchObject({
    keyId: ownerKey!.keyId,
    organisationId: organisation!.organisationId,
    role: 'owner',
    operator: false,
  });
  expect((await client.listMembers({ pageSize: 0, pageToken: '' }, as(owner))).members).toMatchObject([
    { email: 'owner@example.org', role: 'owner' },
  ]);
  expect((await client.getProject({ projectId: defaultProject!.projectId }, as(owner))).project).toMatchObject({
    displayName: 'default',
  });
  const outbox = await registry.sql('SELECT type, aggregate_version FROM outbox WHERE key = $1', [
    organisation!.organisationId,
  ]);
  expect(outbox).toEqual([{ type: 'daya.registry.v1.OrganisationChanged', aggregate_version: '1' }]);
});

test('racing calls of one request id make one organisation; only one of them shows the secret', async () => {
  const request = {
    requestId: randomUUID(),
    displayName: 'Race',
    kind: OrganisationKind.CUSTOMER,
    ownerEmail: 'a@example.org',
  };
  const answers = await Promise.all(Array.from({ length: 6 }, () => client.createOrganisation(request, as(OPERATOR))));
  expect(new Set(answers.map((answer) => answer.organisation!.organisationId)).size).toBe(1);
  expect(answers.filter((answer) => answer.ownerKeySecret !== '')).toHaveLength(1);
  expect(await registry.sql(`SELECT 1 FROM organisation WHERE display_name = 'Race'`)).toHaveLength(1);
  const other = client.createOrganisation({ ...request, displayName: 'Other' }, as(OPERATOR));
  expect(await refusalOf(other)).toMatchObject({ code: status.ALREADY_EXISTS, reason: 'REQUEST_ID_REUSED' });
});

test('a key is shown once, stored as a hash, and refused as soon as it is revoked', async () => {
  const { owner, organisation } = await registry.anOrganisation();
  const request = aKeyRequest();
  const first = await client.createApiKey(request, as(owner));
  expect(first.secret).toMatch(/^daya_[0-9A-Za-z]{11}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
  const again = await client.createApiKey(request, as(owner));
  expect(again).toEqual({ ...first, secret: '' });
  const stored =
    JSON.stringify(await registry.sql('SELECT * FROM api_key')) +
    JSON.stringify(await registry.sql(`SELECT convert_from(response, 'UTF8') FROM request`));
  expect(stored).not.toContain(first.secret.split('_')[2]);
  expect(await authenticate(first.secret)).toMatchObject({
    organisationId: organisation!.organisationId,
    role: 'member',
    scopes: ['jobs:read', 'jobs:write'],
  });

  await client.revokeApiKey({ requestId: randomUUID(), keyId: first.apiKey!.keyId }, as(owner));
  expect(await refusalOf(authenticate(first.secret))).toMatchObject({
    code: status.UNAUTHENTICATED,
    reason: 'API_KEY_REVOKED',
  });
});

test('unknown, damaged and expired keys are refused', async () => {
  const { owner, ownerKeySecret } = await registry.anOrganisation();
  const [kind, prefix, secret, checksum] = ownerKeySecret.split('_');
  const invalid = { code: status.UNAUTHENTICATED, reason: 'API_KEY_INVALID' };
  for (const bad of [
    `${kind}_${prefix}_${secret}_000000`,
    `${kind}_${prefix}_${checksum}`,
    'daya_x',
    `${ownerKeySecret}x`,
  ]) {
    expect(await refusalOf(authenticate(bad))).toMatchObject(invalid);
  }
  expect(await refusalOf(authenticate(''))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    fields: ['secret: REQUIRED'],
  });
  const made = await client.createApiKey(
    aKeyRequest({ expireTime: toTimestamp(new Date(Date.now() + 60_000)) }),
    as(owner),
  );
  await registry.sql(`UPDATE api_key SET expire_time = now() - interval '1 second' WHERE key_id = $1`, [
    made.apiKey!.keyId,
  ]);
  expect(await refusalOf(authenticate(made.secret))).toMatchObject({
    code: status.UNAUTHENTICATED,
    reason: 'API_KEY_EXPIRED',
  });
  // Another secret under a known prefix, with its own valid checksum.
  const stolen = await client.createApiKey(aKeyRequest(), as(owner));
  await registry.sql(`UPDATE api_key SET secret_hash = repeat('0', 64) WHERE key_id = $1`, [stolen.apiKey!.keyId]);
  expect(await refusalOf(authenticate(stolen.secret))).toMatchObject(invalid);
});

test('a key never allows more than the key that makes it', async () => {
  const { owner } = await registry.anOrganisation();
  const admin = { ...owner, role: 'admin' as const, scopes: ['keys:write', 'jobs:read'] };
  expect(await refusalOf(client.createApiKey(aKeyRequest({ role: 'owner', scopes: [] }), as(admin)))).toMatchObject({
    code: status.PERMISSION_DENIED,
    reason: 'ROLE_ABOVE_OWN',
  });
  expect(await refusalOf(client.createApiKey(aKeyRequest(), as(admin)))).toMatchObject({
    code: status.PERMISSION_DENIED,
    reason: 'SCOPE_ABOVE_OWN',
  });
});

test('every violated field is named at once', async () => {
  const { owner } = await registry.anOrganisation();
  const bad = client.createApiKey(
    {
      requestId: '',
      displayName: '',
      role: 'king',
      scopes: ['x', 'jobs:read', 'jobs:read'],
      expireTime: { seconds: 2n ** 62n, nanos: 0 },
    },
    as(owner),
  );
  expect(await refusalOf(bad)).toEqual({
    code: status.INVALID_ARGUMENT,
    reason: 'INVALID_FIELDS',
    fields: [
      'request_id: REQUIRED',
      'display_name: REQUIRED',
      'role: UNKNOWN_VALUE',
      'scopes[0]: UNKNOWN_VALUE',
      'scopes[2]: DUPLICATE',
      'expire_time: MALFORMED',
    ],
  });
  const organisation = {
    requestId: 'x'.repeat(65),
    displayName: 'a\u0000b',
    kind: OrganisationKind.PLATFORM,
    ownerEmail: 'nobody',
  };
  expect((await refusalOf(client.createOrganisation(organisation, as(OPERATOR)))).fields).toEqual([
    'request_id: TOO_LONG',
    'display_name: MALFORMED',
    'kind: UNKNOWN_VALUE',
    'owner_email: MALFORMED',
  ]);
});

test('an update mask changes what it names, and refuses what it does not know', async () => {
  const { owner, defaultProject } = await registry.anOrganisation();
  const project = { ...defaultProject!, displayName: 'renamed', labels: { team: 'a' } };
  const update = (paths: string[]) =>
    client.updateProject({ requestId: randomUUID(), project, updateMask: paths }, as(owner));
  expect((await update(['labels'])).project).toMatchObject({
    displayName: 'default',
    labels: { team: 'a' },
    version: 2n,
  });
  expect(await refusalOf(update(['state', 'labels']))).toMatchObject({
    code: status.INVALID_ARGUMENT,
    fields: ['update_mask: UNKNOWN_VALUE'],
  });
  expect((await refusalOf(update([]))).fields).toEqual(['update_mask: REQUIRED']);
});

test('a foreign object answers exactly like a missing one', async () => {
  const mine = await registry.anOrganisation();
  const other = await registry.anOrganisation();
  const key = await client.createApiKey(aKeyRequest(), as(other.owner));
  const team = await client.createTeam({ requestId: randomUUID(), displayName: 'theirs' }, as(other.owner));
  const member = (await client.listMembers({ pageSize: 0, pageToken: '' }, as(other.owner))).members[0]!;
  const calls = (id: (foreign: string) => string) => [
    client.getOrganisation({ organisationId: id(other.organisation!.organisationId) }, as(mine.owner)),
    client.getProject({ projectId: id(other.defaultProject!.projectId) }, as(mine.owner)),
    client.revokeApiKey({ requestId: randomUUID(), keyId: id(key.apiKey!.keyId) }, as(mine.owner)),
    client.removeMember({ requestId: randomUUID(), memberId: id(member.memberId) }, as(mine.owner)),
    client.createProject(
      { requestId: randomUUID(), displayName: 'p', teamId: id(team.team!.teamId), labels: {} },
      as(mine.owner),
    ),
  ];
  const foreign = await Promise.all(calls((id) => id).map(refusalOf));
  const missing = await Promise.all(calls(() => randomUUID()).map(refusalOf));
  expect(foreign).toEqual(missing);
  expect(foreign.every(({ code }) => code === status.NOT_FOUND)).toBe(true);
  expect(
    (await client.listApiKeys({ pageSize: 0, pageToken: '' }, as(mine.owner))).apiKeys.map(
      ({ organisationId }) => organisationId,
    ),
  ).toEqual([mine.owner.organisationId]);
  // The database alone refuses as well: without an organisation the scoped role sees nothing.
  expect(await registry.rows.scoped.query('SELECT 1 FROM api_key')).toEqual([]);
});

test('the last owner stays, also when two owners leave at once', async () => {
  const { owner } = await registry.anOrganisation();
  const put = (email: string, role: string) =>
    client.putMember({ requestId: randomUUID(), email, role, teamId: '' }, as(owner));
  expect(await refusalOf(put('owner@example.org', 'admin'))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: 'LAST_OWNER',
  });
  const second = await put('Second@example.org', 'owner');
  expect(second.member!.email).toBe('second@example.org');
  const { members } = await client.listMembers({ pageSize: 0, pageToken: '' }, as(owner));
  const leaving = members.map(({ memberId }) => client.removeMember({ requestId: randomUUID(), memberId }, as(owner)));
  const outcomes = await Promise.allSettled(leaving);
  expect(outcomes.map(({ status: outcome }) => outcome).sort()).toEqual(['fulfilled', 'rejected']);
  const left = (await client.listMembers({ pageSize: 0, pageToken: '' }, as(owner))).members;
  expect(left.map(({ role }) => role)).toEqual(['owner']);
});

test('an admin neither makes nor removes an owner', async () => {
  const { owner } = await registry.anOrganisation();
  const admin = { ...owner, role: 'admin' as const };
  const [member] = (await client.listMembers({ pageSize: 0, pageToken: '' }, as(owner))).members;
  const calls = [
    client.putMember({ requestId: randomUUID(), email: 'a@example.org', role: 'owner', teamId: '' }, as(admin)),
    client.putMember({ requestId: randomUUID(), email: 'owner@example.org', role: 'viewer', teamId: '' }, as(admin)),
    client.removeMember({ requestId: randomUUID(), memberId: member!.memberId }, as(admin)),
  ];
  for (const refusal of await Promise.all(calls.map(refusalOf))) expect(refusal.reason).toBe('ROLE_ABOVE_OWN');
});

test('the platform bootstraps one operator, who sees every organisation', async () => {
  const config = { DATABASE_URL: registry.db.url, DATABASE_SYSTEM_URL: registry.db.systemUrl, API_KEY_PEPPER: PEPPER };
  const attempts = await Promise.allSettled([bootstrapOperator(config), bootstrapOperator(config)]);
  const [key, ...more] = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
  expect(more).toEqual([]);
  expect(await authenticate(key!)).toMatchObject({
    organisationId: PLATFORM_ORGANISATION_ID,
    operator: true,
    role: 'owner',
  });
  await expect(bootstrapOperator(config)).rejects.toMatchObject({ reason: 'OPERATOR_EXISTS' });
  const { organisation } = await registry.anOrganisation('Seen');
  expect((await client.getOrganisation(organisation!, as(OPERATOR))).organisation!.displayName).toBe('Seen');
  expect((await client.getProject({ projectId: PLATFORM_PROJECT_ID }, as(OPERATOR))).project!.organisationId).toBe(
    PLATFORM_ORGANISATION_ID,
  );
});

test('only the operator makes organisations, only the gateway exchanges keys', async () => {
  const { owner } = await registry.anOrganisation();
  const request = {
    requestId: randomUUID(),
    displayName: 'x',
    kind: OrganisationKind.CUSTOMER,
    ownerEmail: 'a@example.org',
  };
  expect(await refusalOf(client.createOrganisation(request, as(owner)))).toMatchObject({
    code: status.PERMISSION_DENIED,
  });
  const dispatch = registry.organisations('dispatch');
  expect(await refusalOf(dispatch.authenticateApiKey({ secret: 'x' }))).toMatchObject({
    code: status.PERMISSION_DENIED,
  });
  const viewer = aMember(owner.organisationId, { role: 'viewer' });
  expect(await refusalOf(client.createTeam({ requestId: randomUUID(), displayName: 't' }, as(viewer)))).toMatchObject({
    code: status.PERMISSION_DENIED,
  });
});
