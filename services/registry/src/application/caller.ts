import { notFound, type Caller, type Role } from '@daya/kernel';

export type Member = Extract<Caller, { readonly kind: 'member' }>;

/** The member behind a call. A service on its own behalf cannot come here: the RPC's rule lets members in only. */
export function memberOf(caller: Caller): Member {
  if (caller.kind === 'member') return caller;
  throw new Error(`${caller.service} called what only members may call`);
}

/** Whose request ids a call uses. */
export const requestScope = (caller: Caller): string =>
  caller.kind === 'member' ? caller.organisationId : caller.service;

export const roleOfCaller = (caller: Caller): Role => (caller.kind === 'member' ? caller.role : 'owner');

/** Throws `not-found` when there is no such object in the caller's sight. */
export function found<T>(value: T | undefined, noun: string, id: string): T {
  if (value === undefined) throw notFound(noun, id);
  return value;
}
