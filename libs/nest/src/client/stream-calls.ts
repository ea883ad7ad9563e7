import { once } from 'node:events';
import type {
  CallOptions as GrpcCallOptions,
  ClientDuplexStream,
  ClientReadableStream,
  ClientWritableStream,
} from '@grpc/grpc-js';
import { untilAborted } from '../grpc/until-aborted';
import { callErrorOf } from './call-error';
import { deadlineOf, metadataOf, signalOf, type CallOptions } from './call-options';
import { CallSpan } from './call-span';
import type { ClientMethod, ClientParts } from './create-client';
import { cancelWith, refuseAborted } from './unary-call';

type Requests = AsyncIterable<unknown>;

const grpcOptions = (options: CallOptions): GrpcCallOptions => {
  const deadline = deadlineOf(options, undefined);
  return deadline === undefined ? {} : { deadline };
};

/** Ends when the server ends it, throws GrpcCallError when it fails; leaving the loop cancels the call. */
export function serverStreamCall(parts: ClientParts, method: ClientMethod) {
  const { path, requestSerialize, responseDeserialize } = method.definition;
  return (request: unknown, options: CallOptions = {}): AsyncIterable<unknown> =>
    observed(parts, method, options, (metadata) => {
      const call = parts.channel.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        grpcOptions(options),
      );
      return messagesOf(call, options, path);
    });
}

/** Sends `requests` as the server takes them. An error of theirs cancels the call. */
export function bidiCall(parts: ClientParts, method: ClientMethod) {
  const { path, requestSerialize, responseDeserialize } = method.definition;
  return (requests: Requests, options: CallOptions = {}): AsyncIterable<unknown> =>
    observed(parts, method, options, (metadata) => {
      const call = parts.channel.makeBidiStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        metadata,
        grpcOptions(options),
      );
      const sending = sendAll(call, requests);
      return messagesOf(call, options, path, sending);
    });
}

export function clientStreamCall(parts: ClientParts, method: ClientMethod) {
  const { path, requestSerialize, responseDeserialize } = method.definition;
  return async (requests: Requests, options: CallOptions = {}): Promise<unknown> => {
    const span = new CallSpan(method);
    try {
      refuseAborted(signalOf(options), path);
      const metadata = await metadataOf(options, parts.identity, parts.audience, span.otel);
      const answer = await new Promise((resolve, reject) => {
        const call = parts.channel.makeClientStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          metadata,
          grpcOptions(options),
          (error, reply) => (error === null ? resolve(reply) : reject(callErrorOf(error, path))),
        );
        cancelWith(call, signalOf(options));
        sendAll(call, requests).catch(reject);
      });
      span.end();
      return answer;
    } catch (error) {
      span.end(error);
      throw error;
    }
  };
}

async function* observed(
  parts: ClientParts,
  method: ClientMethod,
  options: CallOptions,
  open: (metadata: Awaited<ReturnType<typeof metadataOf>>) => AsyncIterable<unknown>,
): AsyncGenerator<unknown> {
  const span = new CallSpan(method);
  let failure: unknown;
  try {
    refuseAborted(signalOf(options), method.definition.path);
    yield* open(await metadataOf(options, parts.identity, parts.audience, span.otel));
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    span.end(failure);
  }
}

async function* messagesOf(
  call: ClientReadableStream<unknown> | ClientDuplexStream<unknown, unknown>,
  options: CallOptions,
  path: string,
  sending?: Promise<void>,
): AsyncGenerator<unknown> {
  cancelWith(call, signalOf(options));
  let sendError: unknown;
  sending?.catch((error: unknown) => (sendError = error));
  try {
    for await (const message of call) yield message;
  } catch (error) {
    throw sendError ?? callErrorOf(error, path);
  } finally {
    call.cancel();
  }
}

type Sink = ClientWritableStream<unknown> | ClientDuplexStream<unknown, unknown>;

/** Stops reading `requests` when the call is over; rejects with their error, after cancelling. */
async function sendAll(call: Sink, requests: Requests): Promise<void> {
  const over = new AbortController();
  call.once('status', () => over.abort());
  try {
    for await (const request of untilAborted(requests, over.signal)) {
      if (!call.write(request)) await once(call, 'drain', { signal: over.signal }).catch(() => undefined);
    }
    call.end();
  } catch (error) {
    call.cancel();
    throw error;
  }
}
