/** Who may call a method, from its `daya.options.v1.authz` option. What is not named is refused. */
export interface AuthzRule {
  /** Service identities that may call on their own behalf. */
  readonly services: readonly string[];
  /** The least role of a member whose identity the gateway vouched for; undefined: members may not call. */
  readonly role: 'viewer' | 'member' | 'admin' | 'owner' | undefined;
  /** The API-key scope that a member's call needs besides its role; undefined: any key will do. */
  readonly scope: string | undefined;
  /** Provider nodes by client certificate, on the agents' listener only. */
  readonly agents: boolean;
  /** Of the members, only those of the platform's own organisation. */
  readonly operator: boolean;
  /** Anyone, on the enrolment listener only. */
  readonly anonymous: boolean;
}
