import { DomainError } from '@daya/kernel';
import { decodePageToken, encodePageToken, pageSize } from '@daya/postgres';
import type { Page, PageRequest } from '../../application/ports';

const TOKEN_LENGTH_MAX = 1_024;

interface PageFields {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Page tokens under the service's secret. One is good only for the list, filter and caller that it was issued for. */
export class PageTokens {
  constructor(private readonly secret: string) {}

  /** `list` names the list and all that must not change between pages. Throws `invalid` for page_size and page_token. */
  read(fields: PageFields, list: readonly string[]): PageRequest {
    const size = pageSize(fields.pageSize);
    if (fields.pageToken === '') return { size, after: undefined };
    if (fields.pageToken.length > TOKEN_LENGTH_MAX) throw refused();
    const { list: issuedFor, after } = decodePageToken(fields.pageToken, this.secret);
    if (issuedFor !== JSON.stringify(list)) throw refused();
    return { size, after };
  }

  write({ next }: Page<unknown>, list: readonly string[]): string {
    return next === undefined ? '' : encodePageToken({ after: next, list: JSON.stringify(list) }, this.secret);
  }
}

const refused = (): DomainError =>
  new DomainError('invalid', 'PAGE_TOKEN_INVALID', 'page_token was issued for another list', {}, [
    {
      field: 'page_token',
      reason: 'PAGE_TOKEN_INVALID',
      description: 'repeat the request with only page_token changed',
    },
  ]);
