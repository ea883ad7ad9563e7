import { once } from 'node:events';
import type { sendUnaryData, ServerDuplexStream, ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js';
import { DomainError } from '@daya/kernel';
import { CallRecord, decodeRequest, type BoundMethod } from './bound-method';
import { GrpcCallContext, type ServerCall } from './call-context';
import { untilAborted } from './until-aborted';

type Writable = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;
const WAKING = ['readable', 'end', 'error'] as const;

type Readable = ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/** The streams that are open on a server, so that it can end them: by age, and when it stops. */
export class OpenStreams {
  private readonly contexts = new Set<GrpcCallContext>();
  private draining = false;

  constructor(private readonly maxAgeMs: number) {}

  /** Runs one stream; the client resumes elsewhere what the server ends with UNAVAILABLE. */
  async run(context: GrpcCallContext, stream: () => Promise<void>): Promise<void> {
    const { signal } = context;
    if (this.draining) throw ended('SERVER_DRAINING');
    this.contexts.add(context);
    const timer = setTimeout(() => context.abort(ended('STREAM_MAX_AGE')), this.maxAgeMs);
    try {
      await stream();
      if (signal.aborted) throw signal.reason;
    } finally {
      clearTimeout(timer);
      context.finish();
      this.contexts.delete(context);
    }
  }

  endAll(): void {
    this.draining = true;
    for (const context of this.contexts) context.abort(ended('SERVER_DRAINING'));
  }
}

const ended = (reason: string): DomainError =>
  new DomainError('unavailable', reason, 'the server ended the stream: resume it');

async function admit(method: BoundMethod, call: ServerCall): Promise<GrpcCallContext> {
  const admitted = await method.gate.admit(method.rule, call);
  return new GrpcCallContext(call, method.definition.path, admitted, method.log);
}

export const serverStreamHandler =
  (method: BoundMethod, streams: OpenStreams) =>
  (call: ServerWritableStream<Buffer, Buffer>): void => {
    const record = new CallRecord(method, call);
    void record.run(async () => {
      try {
        const request = decodeRequest(method, call.request);
        const context = await admit(method, call);
        await streams.run(context, () => writeAll(method, call, context, request));
        succeed(record, call);
      } catch (error) {
        fail(record, call, error);
      }
    });
  };

export const bidiHandler =
  (method: BoundMethod, streams: OpenStreams) =>
  (call: ServerDuplexStream<Buffer, Buffer>): void => {
    call.once('error', () => undefined);
    const record = new CallRecord(method, call);
    void record.run(async () => {
      try {
        const context = await admit(method, call);
        await streams.run(context, () => writeAll(method, call, context, requestsOf(method, call, context)));
        succeed(record, call);
      } catch (error) {
        fail(record, call, error);
      }
    });
  };

export const clientStreamHandler =
  (method: BoundMethod, streams: OpenStreams) =>
  (call: ServerReadableStream<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const record = new CallRecord(method, call);
    void record.run(async () => {
      try {
        const context = await admit(method, call);
        let reply: Buffer = Buffer.alloc(0);
        await streams.run(context, async () => {
          const result = method.invoke(requestsOf(method, call, context), context);
          reply = method.definition.responseSerialize(await orAborted(result, context.signal));
        });
        record.succeeded();
        callback(null, reply);
      } catch (error) {
        callback(record.failed(error));
      }
    });
  };

/** One message at a time: the next is asked for only when the transport has room again. */
async function writeAll(
  method: BoundMethod,
  call: Writable,
  context: GrpcCallContext,
  request: unknown,
): Promise<void> {
  const { signal } = context;
  const replies = (await method.invoke(request, context)) as AsyncIterable<unknown>;
  for await (const reply of untilAborted(replies, signal)) {
    if (!call.write(method.definition.responseSerialize(reply)))
      await once(call, 'drain', { signal }).catch(() => undefined);
  }
}

/**
 * Requests as the handler asks for them; not reading stops the sender. (The stream's own iterator destroys the call when
 * the answer's error is emitted while it waits, and the status is lost with it.)
 */
async function* requestsOf(method: BoundMethod, call: Readable, { signal }: GrpcCallContext): AsyncGenerator<unknown> {
  let wake: () => void = () => undefined;
  const onEvent = (): void => wake();
  for (const event of WAKING) call.on(event, onEvent);
  signal.addEventListener('abort', onEvent);
  try {
    while (!signal.aborted) {
      const bytes = call.read() as Buffer | null;
      if (bytes !== null) yield decodeRequest(method, bytes);
      else if (call.readableEnded) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    throw signal.reason;
  } finally {
    for (const event of WAKING) call.off(event, onEvent);
    signal.removeEventListener('abort', onEvent);
  }
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    work.then(resolve, reject);
  });
}

function succeed(record: CallRecord, call: Writable): void {
  record.succeeded();
  call.end();
}

function fail(record: CallRecord, call: Writable, error: unknown): void {
  const answer = record.failed(error);
  if (!call.cancelled) call.emit('error', answer);
}
