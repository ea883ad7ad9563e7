import { DomainError, isUuid, refuseInvalid, type Caller } from '@daya/kernel';
import type { Violations } from '../domain/violations';

export const REQUEST_ID_LENGTH_MAX = 64;

/** The member on whose behalf money is spent. Throws `denied` MEMBER_REQUIRED for a service's own call. */
export function memberOf(caller: Caller): Extract<Caller, { kind: 'member' }> {
  if (caller.kind === 'member' && isUuid(caller.organisationId)) return caller;
  throw new DomainError('denied', 'MEMBER_REQUIRED', 'this is done on behalf of an organisation');
}

export function requireRequestId(found: Violations, requestId: string): void {
  found.length('request_id', requestId, 1, REQUEST_ID_LENGTH_MAX);
  found.check('request_id', !requestId.includes('\0'), 'MALFORMED', 'must not contain U+0000');
}

export function requireId(field: string, id: string): void {
  const reason = id === '' ? 'REQUIRED' : 'MALFORMED';
  if (!isUuid(id)) refuseInvalid([{ field, reason, description: 'must be a lower-case UUID' }]);
}

/** One canonical text for equal content: keys sorted, bigints as decimal text. */
export function contentOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return part.toString();
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}
