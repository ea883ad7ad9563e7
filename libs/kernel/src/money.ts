import { DomainError } from './domain-error';

/** `USD`, `CREDIT`, `USDC:<chain>`, `DAYA` or `DAYA_TEST`. Amounts are always in the asset's smallest unit. */
export type Asset = string;

export interface Money {
  readonly asset: Asset;
  readonly amount: bigint;
}

/** The largest amount that fits Postgres int8, proto int64 and Solana u64. */
export const AMOUNT_MAX = 2n ** 63n - 1n;
export const BASIS_POINTS = 10_000n;

const DECIMALS: Readonly<Record<string, number>> = { USD: 6, CREDIT: 6, DAYA: 9, DAYA_TEST: 9 };
const USDC = /^USDC:[a-z0-9-]{1,32}$/;

/** Decimal places of an asset's smallest unit. Throws `invalid` UNKNOWN_ASSET. */
export function decimalsOf(asset: Asset): number {
  const decimals = USDC.test(asset) ? 6 : DECIMALS[asset];
  if (decimals === undefined) throw new DomainError('invalid', 'UNKNOWN_ASSET', 'unknown asset', { asset });
  return decimals;
}

/** `1234567n` of USD as `1.234567`; exact, for people to read. */
export function formatMoney({ asset, amount }: Money): string {
  const decimals = decimalsOf(asset);
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
