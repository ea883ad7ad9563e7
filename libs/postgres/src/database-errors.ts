import { DomainError } from '@daya/kernel';

const SERIALIZATION_FAILURE = '40001';
const DEADLOCK = '40P01';
const FEATURE_NOT_SUPPORTED = '0A000';
/** Server stopping or not ready, too many connections, statement or idle timeout, I/O trouble. */
const UNAVAILABLE_STATES = new Set(['53300', '57014', '57P01', '57P02', '57P03', '25P03']);
const UNAVAILABLE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
]);
/** Texts of node-pg, pg-pool and TypeORM (which releases a runner whose connection broke) for trouble that carries no code. */
const UNAVAILABLE_TEXT =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after|Driver not Connected|QueryRunnerAlreadyReleased|Query runner already released|Database connection provided by a query runner was already released)/;

/** Not in the encoding, untranslatable, malformed text of a type. */
const UNSTORABLE_STATES = new Set(['22021', '22P05', '22P02']);

interface PostgresFailure {
  readonly code?: unknown;
  readonly constraint?: unknown;
  readonly routine?: unknown;
  readonly message?: unknown;
  readonly driverError?: unknown;
}

/** TypeORM wraps the driver's error; what it says is in there. */
function failureOf(error: unknown): PostgresFailure {
  if (typeof error !== 'object' || error === null) return {};
  const { driverError } = error as PostgresFailure;
  return typeof driverError === 'object' && driverError !== null ? driverError : error;
}

/** SQLSTATE (or Node's errno code) of a failed statement; undefined when there is none. */
export function sqlState(error: unknown): string | undefined {
  const { code } = failureOf(error);
  return typeof code === 'string' ? code : undefined;
}

/** The transaction was rolled back by the server and may simply be run again. */
export const isRetriable = (error: unknown): boolean =>
  [SERIALIZATION_FAILURE, DEADLOCK].includes(sqlState(error) ?? '');

/**
 * A migration has changed what a statement returns that this connection had prepared. The connection is closed (see
 * `preparingDriver`), and a new one prepares it anew. The server's routine is named because the state says more than that.
 */
export const isStalePlan = (error: unknown): boolean =>
  sqlState(error) === FEATURE_NOT_SUPPORTED && failureOf(error).routine === 'RevalidateCachedQuery';

/** The database could not be reached or did not answer in time. Whether a COMMIT took effect is then unknown. */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined && (UNAVAILABLE_STATES.has(state) || UNAVAILABLE_CODES.has(state) || state.startsWith('08')))
    return true;
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  return UNAVAILABLE_TEXT.test(String(failureOf(error).message ?? ''));
}

/**
 * A lost connection becomes `unavailable` STORE_UNAVAILABLE, so that callers retry with the same request id. A value that
 * the database cannot take (a NUL character, an id that is no UUID) becomes `invalid` VALUE_NOT_STORABLE: validation that
 * names the field is better, this is the net below it. All else stays.
 */
export function storeError(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  const state = sqlState(error);
  if (isUnavailable(error)) {
    return causedBy(
      error,
      new DomainError('unavailable', 'STORE_UNAVAILABLE', 'the database did not answer', { state: state ?? 'lost' }),
    );
  }
  if (state === undefined || !UNSTORABLE_STATES.has(state)) return error;
  return causedBy(
    error,
    new DomainError('invalid', 'VALUE_NOT_STORABLE', 'a value is malformed or has a character that cannot be stored'),
  );
}

const causedBy = (cause: unknown, refusal: DomainError): DomainError => Object.assign(refusal, { cause });

/**
 * Turns a violated constraint into the refusal that the map names; any other error comes back unchanged.
 * Use: `throw constraintError(error, { job_pkey: () => new DomainError(...) })`.
 */
export function constraintError(error: unknown, refusals: Readonly<Record<string, () => DomainError>>): unknown {
  const { constraint } = failureOf(error);
  const refusal = typeof constraint === 'string' ? refusals[constraint] : undefined;
  return refusal ? refusal() : error;
}
