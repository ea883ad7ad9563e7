import { hasRole, ROLES, scopeOf, type Caller } from './caller';

const member = (operator: boolean): Caller => ({
  kind: 'member',
  organisationId: 'org',
  role: 'viewer',
  scopes: [],
  keyId: 'key',
  operator,
});

test('a member sees one organisation, the operator and the platform itself see all', () => {
  expect(scopeOf(member(false))).toEqual({ organisationId: 'org' });
  expect(scopeOf(member(true))).toBe('system');
  expect(scopeOf({ kind: 'system', service: 'billing' })).toBe('system');
});

test('each role includes those before it and no other', () => {
  for (const [has, role] of ROLES.entries())
    for (const [needs, least] of ROLES.entries()) expect(hasRole(role, least)).toBe(has >= needs);
});
