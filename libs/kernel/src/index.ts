export {
  DomainError,
  notFound,
  refuseInvalid,
  type ErrorKind,
  type FieldViolation,
  type FoundViolation,
} from './domain-error';
export type { FieldReason } from './field-reason';
export { FieldChecks, isUuid, mapPath } from './field-checks';
export { Clock, IdGenerator } from './ports';
export { AMOUNT_MAX, BASIS_POINTS, decimalsOf, formatMoney, type Asset, type Money } from './money';
export { timersAt, type Timers } from './timers';
export { ROLES, hasRole, scopeOf, type Caller, type Role, type Scope } from './caller';
