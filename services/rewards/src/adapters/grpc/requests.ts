import { FieldChecks } from '@daya/kernel';
import type { EpochCursor } from '../../application/ports';
import { REWARD_ASSETS, type RewardAsset } from '../../domain/epoch-inputs';

export const ACCOUNT_LENGTH_MAX = 128;

/** An epoch's name. */
export interface EpochFields {
  readonly number: bigint;
  readonly asset: string;
}

/** The asset that a text names; undefined for none that is rewarded. */
export const assetOf = (text: string): RewardAsset | undefined => REWARD_ASSETS.find((known) => known === text);

export function checkEpoch({ number, asset }: EpochFields): FieldChecks {
  const checks = new FieldChecks();
  checks.require(number >= 0n, 'number', 'OUT_OF_RANGE', 'must not be negative');
  checks.known('asset', assetOf(asset), REWARD_ASSETS);
  return checks;
}

/** Which epoch a checked request names. */
export const epochOf = ({ number, asset }: EpochFields): readonly [RewardAsset, bigint] => [
  assetOf(asset) as RewardAsset,
  number,
];

export const toEpochCursor = (cursor: Readonly<Record<string, string>> | undefined): EpochCursor | undefined =>
  cursor && { number: BigInt(cursor['number'] ?? 0), asset: cursor['asset'] === 'DAYA' ? 'DAYA' : 'DAYA_TEST' };
