import { refuseInvalid, type FieldViolation } from '@daya/kernel';
import { decodePageToken, encodePageToken } from '@daya/postgres';
import type { EpochCursor } from '../../application/ports';
import { REWARD_ASSETS, type RewardAsset } from '../../domain/epoch-inputs';

const PAGE_SIZE = { default: 50, max: 200 };
const ACCOUNT_LENGTH_MAX = 128;
const PAGE_TOKEN_LENGTH_MAX = 1_024;

/** Collects what is wrong with a request, so that all of it is refused at once. */
export class RequestFields {
  private readonly violations: FieldViolation[] = [];

  number(number: bigint): bigint {
    if (number < 0n) this.violate('number', 'NEGATIVE', 'must not be negative');
    return number;
  }

  asset(text: string): RewardAsset {
    const asset = REWARD_ASSETS.find((known) => known === text);
    if (asset === undefined) this.violate('asset', 'ASSET_UNKNOWN', `must be ${REWARD_ASSETS.join(' or ')}`);
    return asset ?? 'DAYA';
  }

  account(text: string): string {
    if (text === '') this.violate('account', 'REQUIRED', 'must not be empty');
    if (text.length > ACCOUNT_LENGTH_MAX)
      this.violate('account', 'TOO_LONG', `must have at most ${ACCOUNT_LENGTH_MAX} characters`);
    if (text.includes('\0')) this.violate('account', 'MALFORMED', 'must not contain a NUL character');
    return text;
  }

  pageSize(requested: number): number {
    if (requested < 0) this.violate('page_size', 'NEGATIVE', 'must not be negative');
    return requested === 0 ? PAGE_SIZE.default : Math.min(requested, PAGE_SIZE.max);
  }

  pageToken(token: string): string {
    if (token.length > PAGE_TOKEN_LENGTH_MAX)
      this.violate('page_token', 'TOO_LONG', 'pass next_page_token of the previous page unchanged');
    return token;
  }

  /** Throws `invalid` INVALID_FIELDS when any field was. */
  refuse(): void {
    refuseInvalid(this.violations);
  }

  private violate(field: string, reason: string, description: string): void {
    this.violations.push({ field, reason, description });
  }
}

/** Page tokens of this service; each names the list that it belongs to. */
export class PageTokens {
  constructor(private readonly secret: Uint8Array) {}

  encode(list: string, cursor: Readonly<Record<string, string>>): string {
    return encodePageToken({ ...cursor, list }, this.secret);
  }

  /** The cursor; undefined for the first page. Throws `invalid` PAGE_TOKEN_INVALID for another list's token. */
  decode(list: string, token: string): Readonly<Record<string, string>> | undefined {
    if (token === '') return undefined;
    const cursor = decodePageToken(token, this.secret);
    if (cursor['list'] === list) return cursor;
    return decodePageToken('', this.secret);
  }
}

export const toEpochCursor = (cursor: Readonly<Record<string, string>> | undefined): EpochCursor | undefined =>
  cursor && { number: BigInt(cursor['number'] ?? 0), asset: cursor['asset'] === 'DAYA' ? 'DAYA' : 'DAYA_TEST' };
