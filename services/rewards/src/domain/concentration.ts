import { BPS } from './snapshot';

/** How concentrated an epoch's pay is. There is no decay per owner (it invites splitting), so this is published instead. */
export interface Concentration {
  /** The largest owner's share of what owners were paid. */
  readonly topOwnerBps: bigint;
  /** Herfindahl-Hirschman index: the sum of squared shares, 0 to 10,000. */
  readonly hhi: bigint;
  readonly owners: bigint;
}

export function concentrationOf(amounts: readonly bigint[]): Concentration {
  const total = amounts.reduce((sum, amount) => sum + amount, 0n);
  if (total === 0n) return { topOwnerBps: 0n, hhi: 0n, owners: 0n };
  const top = amounts.reduce((max, amount) => (amount > max ? amount : max), 0n);
  const squares = amounts.reduce((sum, amount) => sum + amount * amount, 0n);
  const owners = BigInt(amounts.filter((amount) => amount > 0n).length);
  return { topOwnerBps: (top * BPS) / total, hhi: (squares * BPS) / (total * total), owners };
}
