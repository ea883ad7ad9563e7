import { Metadata, status, type CallOptions as GrpcCallOptions, type ClientUnaryCall } from '@grpc/grpc-js';
import { GrpcCallError } from './call-error';
import { DEFAULT_DEADLINE_MS, deadlineOf, metadataOf, signalOf, type CallOptions } from './call-options';
import { CallSpan } from './call-span';
import type { ClientMethod, ClientParts } from './create-client';
import { withRetries } from './retry';

export function unaryCall(parts: ClientParts, method: ClientMethod) {
  return async (request: unknown, options: CallOptions = {}): Promise<unknown> => {
    const { path } = method.definition;
    const span = new CallSpan(method);
    const signal = signalOf(options);
    const deadlineMs = deadlineOf(options, DEFAULT_DEADLINE_MS) ?? Date.now() + DEFAULT_DEADLINE_MS;
    try {
      const answer = await withRetries(
        { path, deadlineMs, budget: parts.budget, signal, random: Math.random },
        async () => {
          const metadata = await metadataOf(options, parts.identity, parts.audience, span.otel);
          return callOnce(parts, method, request, { metadata, signal, options: { deadline: deadlineMs } });
        },
      );
      span.end();
      return answer;
    } catch (error) {
      span.end(error);
      throw error;
    }
  };
}

export interface Attempt {
  readonly metadata: Metadata;
  readonly signal: AbortSignal | undefined;
  readonly options: GrpcCallOptions;
}

function callOnce(
  { channel }: ClientParts,
  { definition }: ClientMethod,
  request: unknown,
  attempt: Attempt,
): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = definition;
  refuseAborted(attempt.signal, path);
  return new Promise((resolve, reject) => {
    const call = channel.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      attempt.metadata,
      attempt.options,
      (error, answer) => (error === null ? resolve(answer) : reject(error)),
    );
    cancelWith(call, attempt.signal);
  });
}

/** Throws CANCELLED for a call that nobody waits for any more. */
export function refuseAborted(signal: AbortSignal | undefined, path: string): void {
  if (signal?.aborted === true)
    throw new GrpcCallError(status.CANCELLED, 'cancelled before it was sent', new Metadata(), path);
}

/** Ties a call to a signal and lets go of the signal when the call is over. */
export function cancelWith(call: Pick<ClientUnaryCall, 'cancel' | 'once'>, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const cancel = (): void => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  call.once('status', () => signal.removeEventListener('abort', cancel));
}
