import {
  status,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { readDetails } from '@daya/nest';
import type { Rpc } from './schema';

/** What became of one call. OK also stands for a stream that was let in: it sent something. */
export interface Answer {
  readonly code: number;
  readonly reason: string;
  /** The violated fields, as the refusal names them. */
  readonly fields: readonly string[];
  readonly message: string;
}

export interface Shot {
  readonly channel: Client;
  readonly rpc: Rpc;
  readonly metadata: Metadata;
  /** Unix milliseconds. */
  readonly deadline: number;
  readonly bytes: Uint8Array;
  /** Further messages of a stream of requests. */
  readonly rest: readonly Uint8Array[];
}

const LET_IN: Answer = { code: status.OK, reason: '', fields: [], message: '' };

const asBytes = (value: Buffer): Buffer => value;

/** Sends bytes as they are: no client library of ours looks at them first. */
export function fire(shot: Shot): Promise<Answer> {
  const { requestStream, responseStream } = shot.rpc;
  if (requestStream && responseStream) return bidi(shot);
  if (requestStream) return clientStream(shot);
  return responseStream ? serverStream(shot) : unary(shot);
}

function unary({ channel, rpc, bytes, metadata, deadline }: Shot): Promise<Answer> {
  return new Promise((resolve) => {
    channel.makeUnaryRequest(rpc.path, asBytes, asBytes, Buffer.from(bytes), metadata, { deadline }, (error) =>
      resolve(answerOf(error)),
    );
  });
}

function clientStream({ channel, rpc, bytes, rest, metadata, deadline }: Shot): Promise<Answer> {
  return new Promise((resolve) => {
    const call = channel.makeClientStreamRequest(rpc.path, asBytes, asBytes, metadata, { deadline }, (error) =>
      resolve(answerOf(error)),
    );
    call.on('error', () => undefined);
    for (const message of [bytes, ...rest]) call.write(Buffer.from(message));
    call.end();
  });
}

function serverStream({ channel, rpc, bytes, metadata, deadline }: Shot): Promise<Answer> {
  const call = channel.makeServerStreamRequest(rpc.path, asBytes, asBytes, Buffer.from(bytes), metadata, { deadline });
  return firstOf(call);
}

function bidi({ channel, rpc, bytes, rest, metadata, deadline }: Shot): Promise<Answer> {
  const call = channel.makeBidiStreamRequest(rpc.path, asBytes, asBytes, metadata, { deadline });
  for (const message of [bytes, ...rest]) call.write(Buffer.from(message));
  return firstOf(call);
}

type Call = ClientReadableStream<Buffer> | ClientDuplexStream<Buffer, Buffer>;

/** The refusal, or LET_IN with the first message; silence ends in the deadline. */
function firstOf(call: Call): Promise<Answer> {
  return new Promise((resolve) => {
    const letIn = (): void => {
      resolve(LET_IN);
      call.cancel();
    };
    call.on('data', letIn);
    call.on('error', () => undefined);
    call.on('status', (end) => {
      resolve(answerOf(end));
    });
  });
}

function answerOf(error: Pick<ServiceError, 'code' | 'details' | 'metadata'> | null): Answer {
  if (error === null || error.code === status.OK) return LET_IN;
  const { reason, violations } = readDetails(error.metadata);
  return { code: error.code, reason, fields: violations.map(({ field }) => field), message: error.details };
}
