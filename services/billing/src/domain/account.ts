import { DomainError, decimalsOf, type Asset } from '@daya/kernel';

/**
 * `wallet`: a customer's money. `payable`: what the platform owes a provider. `fee`: the platform's income. `escrow`: names
 * the other side of a hold and never carries a balance. `world`: money that came from or went to a rail outside.
 */
export const ACCOUNT_KINDS = ['wallet', 'payable', 'fee', 'escrow', 'world'] as const;
export type AccountKind = (typeof ACCOUNT_KINDS)[number];

export interface Account {
  /** `org:<uuid>:wallet`, `org:<uuid>:payable`, `fee`, `escrow` or `world:<rail>`; unique together with the asset. */
  readonly code: string;
  readonly kind: AccountKind;
  readonly asset: Asset;
  readonly ownerId?: string;
  /** posted − held never falls below it; undefined = unbounded (the outside world). */
  readonly floor?: bigint;
}

/** Accounts that every charge or deposit touches keep one balance row per lane, so that they do not queue on one lock. */
export const LANE_COUNT = 16;

const RAIL = /^[a-z0-9-]{1,32}$/;

export const walletOf = (organisationId: string, asset: Asset): Account => owned('wallet', organisationId, asset);
export const payableOf = (organisationId: string, asset: Asset): Account => owned('payable', organisationId, asset);
export const feeAccount = (asset: Asset): Account => ({ code: 'fee', kind: 'fee', asset: known(asset), floor: 0n });
export const escrowAccount = (asset: Asset): Account => ({
  code: 'escrow',
  kind: 'escrow',
  asset: known(asset),
  floor: 0n,
});

/** The outside end of a rail, such as `bank`. Throws `invalid` RAIL_INVALID. */
export function worldAccount(rail: string, asset: Asset): Account {
  if (!RAIL.test(rail))
    throw new DomainError('invalid', 'RAIL_INVALID', 'a rail is 1 to 32 of a-z, 0-9 and -', { rail });
  return { code: `world:${rail}`, kind: 'world', asset: known(asset) };
}

/** Which balance row of an account a transfer touches; all transfers of one spreading key share a lane. */
export function laneOf(account: Account, spreadHash: number): number {
  const spread = account.kind === 'fee' || account.kind === 'world';
  return spread ? Math.abs(spreadHash) % LANE_COUNT : 0;
}

function owned(kind: 'wallet' | 'payable', ownerId: string, asset: Asset): Account {
  return { code: `org:${ownerId}:${kind}`, kind, asset: known(asset), ownerId, floor: 0n };
}

function known(asset: Asset): Asset {
  decimalsOf(asset);
  return asset;
}
