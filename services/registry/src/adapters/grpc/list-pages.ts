import type { Caller, FieldChecks } from '@daya/kernel';
import type { PageTokens } from '@daya/postgres';
import { requestScope } from '../../application/caller';
import type { Page, PageRequest } from '../../application/ports';

interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** One page of a list and the token of the next; `filter` holds what must not change between pages, `checks` what it violates. */
export async function listPage<T, P>(
  tokens: PageTokens,
  caller: Caller,
  request: ListRequest,
  list: {
    readonly name: string;
    readonly filter?: readonly string[];
    readonly checks?: FieldChecks;
    readonly load: (page: PageRequest) => Promise<Page<T>>;
  },
  toProto: (row: T) => P,
): Promise<{ readonly rows: P[]; readonly nextPageToken: string }> {
  const issuedFor = JSON.stringify([list.name, requestScope(caller), ...(list.filter ?? [])]);
  const { size, after } = tokens.read(request, issuedFor, list.checks && { checks: list.checks });
  const { rows, next } = await list.load({ size, after: after?.['after'] });
  return {
    rows: rows.map(toProto),
    nextPageToken: tokens.write(next === undefined ? undefined : { after: next }, issuedFor),
  };
}
