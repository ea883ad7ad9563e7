import { once } from 'node:events';
import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import type { Logger } from '@daya/nest';
import type { Admission, Admitted } from '../access/admission';
import type { OpenStream, StreamSlots } from '../access/stream-slots';
import type { Peers } from '../peers';
import { addressOf, answerOf, authorizationOf, deadlineMsOf, goneSignal, type IncomingCall } from './partner-call';
import { messagesOf } from './partner-messages';

export interface PartnerParts {
  readonly peers: Peers;
  readonly admission: Admission;
  readonly slots: StreamSlots;
  readonly log: Logger;
}

type Readable = ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;
type Writable = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

const admit = ({ admission }: PartnerParts, call: IncomingCall): Promise<Admitted> =>
  admission.admit(authorizationOf(call), addressOf(call));

/** Bytes on, bytes back. Of the partner's metadata only the key is read; nothing of it travels on. */
export function unaryProxy(parts: PartnerParts, path: string) {
  const forward = parts.peers.unary(path);
  return (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): void => {
    const gone = goneSignal(call);
    const answer = async (): Promise<Buffer> => {
      const deadlineMs = deadlineMsOf(call);
      const { member } = await admit(parts, call);
      return forward(call.request, { caller: member, deadlineMs, signal: gone });
    };
    answer().then(
      (reply) => callback(null, reply),
      (error: unknown) => callback(answerOf(error, gone, parts.log, path)),
    );
  };
}

export function serverStreamProxy(parts: PartnerParts, path: string) {
  const forward = parts.peers.serverStream(path);
  return (call: ServerWritableStream<Buffer, Buffer>): void =>
    void streamed(parts, path, call, (stream, admitted) =>
      writeAll(call, forward(call.request, { caller: admitted.member, signal: stream.signal }), stream.signal),
    );
}

export function bidiProxy(parts: PartnerParts, path: string) {
  const forward = parts.peers.bidi(path);
  return (call: ServerDuplexStream<Buffer, Buffer>): void =>
    void streamed(parts, path, call, (stream, admitted) =>
      writeAll(
        call,
        forward(messagesOf(call, stream.signal), { caller: admitted.member, signal: stream.signal }),
        stream.signal,
      ),
    );
}

export function clientStreamProxy(parts: PartnerParts, path: string) {
  const forward = parts.peers.clientStream(path);
  return (call: Readable, callback: sendUnaryData<Buffer>): void => {
    const gone = goneSignal(call);
    let stream: OpenStream | undefined;
    const answer = async (): Promise<Buffer> => {
      const admitted = await admit(parts, call);
      stream = parts.slots.take(admitted, gone);
      return forward(messagesOf(call, stream.signal), { caller: admitted.member, signal: stream.signal });
    };
    answer()
      .then(
        (reply) => callback(null, reply),
        (error: unknown) => callback(answerOf(error, stream?.signal ?? gone, parts.log, path)),
      )
      .finally(() => stream?.release());
  };
}

/** Opens, runs and closes one stream; its end is told as the status. Never rejects. */
async function streamed(
  parts: PartnerParts,
  path: string,
  call: Writable,
  run: (stream: OpenStream, admitted: Admitted) => Promise<void>,
): Promise<void> {
  const gone = goneSignal(call);
  call.once('error', () => undefined);
  let stream: OpenStream | undefined;
  try {
    const admitted = await admit(parts, call);
    stream = parts.slots.take(admitted, gone);
    await run(stream, admitted);
    call.end();
  } catch (error) {
    const answer = answerOf(error, stream?.signal ?? gone, parts.log, path);
    if (!call.cancelled) call.emit('error', answer);
  } finally {
    stream?.release();
  }
}

/** The next message is asked for only when the partner has taken this one. */
async function writeAll(call: Writable, replies: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
  for await (const reply of replies) {
    if (!call.write(reply)) await once(call, 'drain', { signal });
  }
}
