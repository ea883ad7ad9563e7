import { DomainError } from '@daya/kernel';
import { decodePageToken, encodePageToken, pageSize } from '@daya/postgres';
import type { PageRequest } from '../../application/ports';
import { FieldChecks } from '../proto/field-checks';

const LIMITS = { default: 50, max: 200 } as const;
const TRIAL_LIMITS = { default: 200, max: 200 } as const;

interface PageFields {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Page tokens of this service; one is good only for the list and filter it was issued for. */
export class PageTokens {
  constructor(private readonly secret: Uint8Array) {}

  read({ pageSize: size, pageToken }: PageFields, list: string): PageRequest {
    new FieldChecks().pageToken(pageToken).refuse();
    const rows = pageSize(size, list === 'trial-balance' ? TRIAL_LIMITS : LIMITS);
    if (pageToken === '') return { size: rows, after: undefined };
    const { list: issuedFor, ...after } = decodePageToken(pageToken, this.secret);
    if (issuedFor !== list) {
      throw new DomainError('invalid', 'PAGE_TOKEN_INVALID', 'page_token was issued for another list', {}, [
        {
          field: 'page_token',
          reason: 'PAGE_TOKEN_INVALID',
          description: 'repeat the request with only page_token changed',
        },
      ]);
    }
    return { size: rows, after };
  }

  write(next: Record<string, string> | undefined, list: string): string {
    return next === undefined ? '' : encodePageToken({ ...next, list }, this.secret);
  }
}
