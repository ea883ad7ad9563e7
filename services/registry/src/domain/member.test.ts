import { ROLES } from '@daya/kernel';
import { assertMayGrant, assertOwnerStays, roleOf } from './member';

test('nobody gives a role above their own', () => {
  for (const [rank, own] of ROLES.entries()) {
    for (const [wanted, role] of ROLES.entries()) {
      const grant = (): void => assertMayGrant(own, role);
      if (wanted <= rank) expect(grant).not.toThrow();
      else expect(grant).toThrow(expect.objectContaining({ kind: 'denied', reason: 'ROLE_ABOVE_OWN' }));
    }
  }
});

test('the last owner stays an owner; others come and go', () => {
  for (const current of ROLES) {
    for (const next of [...ROLES, undefined]) {
      for (const owners of [1, 2]) {
        const change = (): void => assertOwnerStays(current, next, owners);
        if (current === 'owner' && next !== 'owner' && owners === 1)
          expect(change).toThrow(expect.objectContaining({ reason: 'LAST_OWNER' }));
        else expect(change).not.toThrow();
      }
    }
  }
});

test('only the four roles are roles', () => {
  expect(ROLES.map(roleOf)).toEqual([...ROLES]);
  for (const text of ['', 'Owner', 'root', 'toString']) expect(roleOf(text)).toBeUndefined();
});
