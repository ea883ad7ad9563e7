import { DomainError } from '@daya/kernel';
import { decodePageToken, encodePageToken, pageSize } from '@daya/postgres';
import type { Job } from '../../domain/job';

const LIMITS = { default: 50, max: 200 } as const;
const TOKEN_LENGTH_MAX = 1_024;

interface PageFields {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Page tokens of ListJobs; one is good only for the filter it was issued for. */
export class PageTokens {
  constructor(private readonly secret: Uint8Array) {}

  read(
    { pageSize: requested, pageToken }: PageFields,
    filter: string,
  ): { size: number; before: { createTime: Date; jobId: string } | undefined } {
    const size = pageSize(requested, LIMITS);
    if (pageToken === '') return { size, before: undefined };
    if (pageToken.length > TOKEN_LENGTH_MAX) throw invalid('was not issued by this service');
    const { filter: issuedFor, createTime = '', jobId = '' } = decodePageToken(pageToken, this.secret);
    if (issuedFor !== filter) throw invalid('repeat the request with only page_token changed');
    return { size, before: { createTime: new Date(createTime), jobId } };
  }

  write(last: Job | undefined, filter: string): string {
    return last
      ? encodePageToken({ createTime: last.createTime.toISOString(), jobId: last.jobId, filter }, this.secret)
      : '';
  }
}

const invalid = (description: string): DomainError =>
  new DomainError('invalid', 'PAGE_TOKEN_INVALID', 'page_token does not fit', {}, [
    { field: 'page_token', reason: 'PAGE_TOKEN_INVALID', description },
  ]);
