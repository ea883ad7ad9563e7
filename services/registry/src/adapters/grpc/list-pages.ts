import type { Caller } from '@daya/kernel';
import { requestScope } from '../../application/caller';
import type { Page, PageRequest } from '../../application/ports';
import type { PageTokens } from './page-tokens';

interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** One page of a list and the token of the next; `filter` holds what must not change between pages. */
export async function listPage<T, P>(
  tokens: PageTokens,
  caller: Caller,
  request: ListRequest,
  list: {
    readonly name: string;
    readonly filter?: readonly string[];
    readonly load: (page: PageRequest) => Promise<Page<T>>;
  },
  toProto: (row: T) => P,
): Promise<{ readonly rows: P[]; readonly nextPageToken: string }> {
  const issuedFor = [list.name, requestScope(caller), ...(list.filter ?? [])];
  const page = await list.load(tokens.read(request, issuedFor));
  return { rows: page.rows.map(toProto), nextPageToken: tokens.write(page, issuedFor) };
}
