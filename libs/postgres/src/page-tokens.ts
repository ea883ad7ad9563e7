import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DomainError, FieldChecks } from '@daya/kernel';
import { decodePageToken, encodePageToken, pageSize } from './paging';

interface PageFields {
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface PageStart {
  readonly size: number;
  /** The cursor of the last row of the page before; undefined: the first page. */
  readonly after: Readonly<Record<string, string>> | undefined;
}

/** Page tokens of one service; one is good only for the list and filter it was issued for. */
export class PageTokens {
  constructor(
    private readonly secret: Uint8Array,
    private readonly limits: { readonly default: number; readonly max: number } = { default: 50, max: 200 },
  ) {}

  /** With a secret that all replicas of a service share without another file: derived from its identity key. */
  static of(identityKeyFile: string): PageTokens {
    return new PageTokens(createHmac('sha256', readFileSync(identityKeyFile)).update('page tokens').digest());
  }

  /** Throws `invalid` for a page_size out of range and for a token that was not issued for this list. */
  read({ pageSize: size, pageToken }: PageFields, list: string, limits = this.limits): PageStart {
    new FieldChecks().pageToken(pageToken).refuse();
    const rows = pageSize(size, limits);
    if (pageToken === '') return { size: rows, after: undefined };
    const { list: issuedFor, ...after } = decodePageToken(pageToken, this.secret);
    if (issuedFor === list) return { size: rows, after };
    throw new DomainError('invalid', 'PAGE_TOKEN_INVALID', 'page_token was issued for another list', {}, [
      {
        field: 'page_token',
        reason: 'PAGE_TOKEN_INVALID',
        description: 'repeat the request with only page_token changed',
      },
    ]);
  }

  write(next: Readonly<Record<string, string>> | undefined, list: string): string {
    return next === undefined ? '' : encodePageToken({ ...next, list }, this.secret);
  }
}
