import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { FieldChecks } from '@daya/kernel';
import { decodePageToken, encodePageToken, type Cursor } from './paging';

const LIMITS = { default: 50, max: 200 } as const;

interface PageFields {
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface PageStart {
  /** Rows of the page. */
  readonly size: number;
  /** The cursor of the last row of the page before; undefined: the first page. */
  readonly after: Cursor | undefined;
}

/** Page tokens of one service; one is good only for the list and filter it was issued for. */
export class PageTokens {
  constructor(private readonly secret: string | Uint8Array) {}

  /** With a secret that all replicas of a service share without another file: derived from its identity key. */
  static of(identityKeyFile: string): PageTokens {
    return new PageTokens(createHmac('sha256', readFileSync(identityKeyFile)).update('page tokens').digest());
  }

  /**
   * Where a page of `list` starts; `list` names all that may not change between pages. A page_size of 0 means the default,
   * one above the maximum means the maximum. Refuses, together with what `checks` has found, a negative page_size and a
   * page_token that was not issued for this list: throws `invalid` INVALID_FIELDS.
   */
  read(
    { pageSize, pageToken }: PageFields,
    list: string,
    { checks = new FieldChecks(), limits = LIMITS as { readonly default: number; readonly max: number } } = {},
  ): PageStart {
    const { list: issuedFor, ...after } = decodePageToken(pageToken, this.secret) ?? {};
    checks.require(pageSize >= 0, 'page_size', 'OUT_OF_RANGE', 'must not be negative');
    checks.require(
      pageToken === '' || issuedFor === list,
      'page_token',
      'PAGE_TOKEN_INVALID',
      'pass next_page_token of the page before, and change nothing else of the request',
    );
    checks.refuse();
    const size = pageSize === 0 ? limits.default : Math.min(pageSize, limits.max);
    return { size, after: pageToken === '' ? undefined : after };
  }

  /** The token of the page after `last`, the last row of this one; empty when there is none. */
  write(last: Cursor | undefined, list: string): string {
    return last === undefined ? '' : encodePageToken({ ...last, list }, this.secret);
  }
}
