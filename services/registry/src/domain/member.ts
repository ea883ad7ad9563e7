import { DomainError, hasRole, ROLES, type Role } from '@daya/kernel';

export interface Member {
  readonly memberId: string;
  readonly organisationId: string;
  /** Lower case. */
  readonly email: string;
  readonly role: Role;
  readonly teamId: string | undefined;
  readonly createTime: Date;
}

export const roleOf = (text: string): Role | undefined => ROLES.find((role) => role === text);

/** Nobody gives, takes or changes a role above their own. Throws `denied` ROLE_ABOVE_OWN. */
export function assertMayGrant(own: Role, ...roles: readonly Role[]): void {
  const above = roles.find((role) => !hasRole(own, role));
  if (above === undefined) return;
  throw new DomainError('denied', 'ROLE_ABOVE_OWN', 'the role is above your own', { role: above, own_role: own });
}

/**
 * The last owner stays: without one nobody could ever make another. `next` is the member's new role, undefined when they
 * leave. Throws `precondition` LAST_OWNER.
 */
export function assertOwnerStays(current: Role, next: Role | undefined, ownerCount: number): void {
  if (current !== 'owner' || next === 'owner' || ownerCount > 1) return;
  throw new DomainError('precondition', 'LAST_OWNER', 'an organisation keeps at least one owner');
}
