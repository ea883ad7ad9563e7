import type { Fields } from './fields';

export const PROVIDER_KINDS = ['individual', 'institution'] as const;
export type ProviderKind = (typeof PROVIDER_KINDS)[number];

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

/** The supplier behind an organisation. */
export interface Provider {
  readonly providerId: string;
  readonly organisationId: string;
  readonly displayName: string;
  readonly kind: ProviderKind;
  /** 0x and 40 hexadecimal digits; empty: derived from the account id. */
  readonly rewardAddress: string;
  readonly createTime: Date;
  readonly version: bigint;
}

export function checkRewardAddress(fields: Fields, address: string): void {
  if (address === '') return;
  fields.require(ADDRESS.test(address), 'reward_address', 'MALFORMED', 'must be 0x and 40 hexadecimal digits');
}
