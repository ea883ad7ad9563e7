import { status, type Metadata, type StatusObject } from '@grpc/grpc-js';
import { DomainError } from '@daya/kernel';
import { GrpcCallError, toStatus, type Logger } from '@daya/nest';
import { reasonOf } from '../http/events';
import { PARTNER_DEADLINE_MS_MAX } from '../limits';

/** The part of a grpc-js server call that every kind has. */
export interface IncomingCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getPeer(): string;
  getDeadline(): Date | number;
  once(event: 'cancelled', listener: () => void): unknown;
}

/** A signal that fires when the partner leaves, their deadline passes, or the connection breaks. */
export function goneSignal(call: IncomingCall): AbortSignal {
  const controller = new AbortController();
  call.once('cancelled', () => controller.abort(new Error('the partner left')));
  if (call.cancelled) controller.abort(new Error('the partner left'));
  return controller.signal;
}

/** Milliseconds that a unary call has left. Throws `invalid` DEADLINE_REQUIRED. */
export function deadlineMsOf(call: IncomingCall): number {
  const deadline = Number(call.getDeadline());
  if (!Number.isFinite(deadline))
    throw new DomainError('invalid', 'DEADLINE_REQUIRED', 'set a deadline: calls without one are refused');
  return Math.min(Math.max(1, deadline - Date.now()), PARTNER_DEADLINE_MS_MAX);
}

/** `host` of `host:port`, IPv6 too. */
export const addressOf = (call: IncomingCall): string => call.getPeer().replace(/:\d+$/, '');

export function authorizationOf({ metadata }: IncomingCall): string | undefined {
  const [value] = metadata.get('authorization');
  return typeof value === 'string' ? value : undefined;
}

/** What a peer says after a refusal without a reason may be its transport speaking. */
const SPEAKS_OF_INSIDE = new Set<number>([status.UNAVAILABLE, status.INTERNAL, status.UNKNOWN, status.DATA_LOSS]);

/** The status to answer with: a peer's refusal with its trailers as they came, one of our own, or INTERNAL for bugs. */
export function answerOf(error: unknown, signal: AbortSignal | undefined, log: Logger, path: string): StatusObject {
  const cause = signal === undefined ? error : reasonOf(signal, error);
  if (!(cause instanceof GrpcCallError)) {
    if (!(cause instanceof DomainError) && signal?.aborted !== true)
      log.error({ err: cause, rpc: path }, 'partner call failed');
    return toStatus(cause);
  }
  // Our own identity was refused: nothing that the partner could mend.
  if (cause.code === status.UNAUTHENTICATED) return internal(log, cause, path);
  const withoutReason = cause.reason === status[cause.code];
  if (withoutReason && cause.code === status.UNAVAILABLE)
    return toStatus(
      new DomainError('unavailable', 'UNAVAILABLE', 'a part of the platform does not answer now: try again'),
    );
  if (withoutReason && SPEAKS_OF_INSIDE.has(cause.code)) return internal(log, cause, path);
  return { code: cause.code, details: cause.message, metadata: trailersOf(cause.trailers) };
}

function internal(log: Logger, cause: unknown, path: string): StatusObject {
  log.error({ err: cause, rpc: path }, 'partner call failed');
  return toStatus(cause);
}

/** As the peer sent them, without what its HTTP/2 transport added. */
function trailersOf(trailers: Metadata): Metadata {
  const forwarded = trailers.clone();
  for (const name of Object.keys(forwarded.getMap())) if (TRANSPORT.has(name)) forwarded.remove(name);
  return forwarded;
}
const TRANSPORT = new Set([
  'content-type',
  'date',
  'grpc-status',
  'grpc-message',
  'grpc-encoding',
  'grpc-accept-encoding',
]);
