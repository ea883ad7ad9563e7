import { derivedAddress } from './address';
import type { ClosedEpoch } from './close-epoch';
import type { EpochInputs } from './epoch-inputs';
import { zeroReasons } from './receipts';

/** What is left of the supply; every award comes out of it. */
export const RESERVE = 'reserve';
export const lockedAccount = (account: string): string => `account:${account}:locked`;
export const vestedAccount = (account: string): string => `account:${account}:vested`;

/** One account's line of an epoch. */
export interface EpochReward {
  readonly account: string;
  readonly address: string;
  readonly amount: bigint;
  readonly cumulativeVested: bigint;
  readonly zeroReason: string;
}

/** Every account that had a device or work in the epoch or was awarded something; a zero always has its reason. */
export function rewardsOf(inputs: EpochInputs, closed: ClosedEpoch): readonly EpochReward[] {
  const awards = new Map(closed.awards.map((award) => [award.account, award]));
  const declared = new Map([...inputs.devices, ...inputs.charges].map((row) => [row.account, row.declaredAddress]));
  const reasons = zeroReasons(closed.receipts);
  return [...new Set([...awards.keys(), ...declared.keys()])].map((account) => {
    const award = awards.get(account);
    return {
      account,
      address: award?.address ?? (declared.get(account) || derivedAddress(account)),
      amount: award?.amount ?? 0n,
      cumulativeVested: closed.vestedByAccount.get(account) ?? 0n,
      zeroReason: award === undefined ? (reasons.get(account) ?? 'NOTHING_EARNED') : '',
    };
  });
}

/**
 * The epoch's ledger rows: each award from the reserve into the account's locked part, then what has vested since the epoch
 * before from locked to vested. The vested accounts together are what the leaves may claim.
 */
export function postingsOf(
  closed: ClosedEpoch,
  vestedBefore: ReadonlyMap<string, bigint>,
): readonly { debitAccount: string; creditAccount: string; amount: bigint }[] {
  const awards = closed.awards.map(({ account, amount }) => ({
    debitAccount: RESERVE,
    creditAccount: lockedAccount(account),
    amount,
  }));
  const vesting = [...closed.vestedByAccount].map(([account, vested]) => ({
    debitAccount: lockedAccount(account),
    creditAccount: vestedAccount(account),
    amount: vested - (vestedBefore.get(account) ?? 0n),
  }));
  return [...awards, ...vesting].filter(({ amount }) => amount > 0n);
}
