import { AUTHZ } from './gen/authz';

const named = Object.values(AUTHZ).flatMap(({ scope }) => (scope === undefined ? [] : [scope]));

/** Every scope that some method asks for, in order: what a key can be allowed. */
export const SCOPES: readonly string[] = [...new Set(named)].sort();
