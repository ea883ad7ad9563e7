/** What a member of an organisation, or the platform's operator, may do; each role includes those before it. */
export const ROLES = ['viewer', 'member', 'admin', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/**
 * Who asks. `system` is a Daya service on its own behalf (background work); `member` is a person or partner whose
 * identity the gateway vouched for. Use cases filter by `organisationId`; a foreign object answers NOT_FOUND.
 */
export type Caller =
  | { readonly kind: 'system'; readonly service: string }
  | {
      readonly kind: 'member';
      readonly organisationId: string;
      readonly role: Role;
      readonly scopes: readonly string[];
      readonly keyId: string;
      /** A member of the platform's own organisation may act for any other. */
      readonly operator: boolean;
    };

/** The organisation whose rows a caller may see, or `system` for all of them. */
export type Scope = { readonly organisationId: string } | 'system';

export function scopeOf(caller: Caller): Scope {
  if (caller.kind === 'system' || caller.operator) return 'system';
  return { organisationId: caller.organisationId };
}

export const hasRole = (role: Role, least: Role): boolean => ROLES.indexOf(role) >= ROLES.indexOf(least);
