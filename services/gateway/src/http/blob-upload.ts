import type { IncomingMessage } from 'node:http';
import { UploadBlobRequest } from '@daya/proto/dispatch';
import { FieldChecks } from '@daya/kernel';
import type { StreamSlots } from '../access/stream-slots';
import type { ApiMethod } from '../api/catalogue';
import { toReplyJson } from '../api/reply-mapping';
import { BLOB_CHUNK_BYTES } from '../limits';
import type { Peers } from '../peers';
import { reasonOf } from './events';
import { sendJson } from './exchange';
import type { Handler } from './front-door';
import { requireType, tooLarge } from './json-body';
import { HttpRefusal } from './refusal';

export const UPLOAD_BLOB = '/daya.dispatch.v1.DispatchService/UploadBlob';
export const BLOB_TYPE = 'application/octet-stream';
const SHA256 = /^[0-9a-f]{64}$/;

/** Streams a body to the blob store as the store takes it; at no time is more than a few chunks of it here. */
export function blobUploadHandler(peers: Peers, slots: StreamSlots, method: ApiMethod, bytesMax: number): Handler {
  const call = peers.clientStream(method.path);
  return async ({ exchange, admitted, variables }) => {
    const { request, gone } = exchange;
    const sha256 = variables.get('sha256') ?? '';
    new FieldChecks()
      .require(SHA256.test(sha256), 'sha256', 'MALFORMED', 'must be 64 lower-case hexadecimal digits')
      .refuse();
    requireType(request, BLOB_TYPE);
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
    const stream = slots.take(admitted, gone);
    const body = new UploadBody(request, sha256, bytesMax);
    try {
      const reply = await call(body.messages(), { caller: admitted.member, signal: stream.signal });
      sendJson(exchange, 200, toReplyJson(method.descriptor.output, reply));
    } catch (error) {
      throw body.refusal ?? reasonOf(stream.signal, error);
    } finally {
      stream.release();
    }
  };
}

class UploadBody {
  /** Why the body was refused here; the call then only says that it was cancelled. */
  refusal: HttpRefusal | undefined;

  constructor(
    private readonly request: IncomingMessage,
    private readonly sha256: string,
    private readonly bytesMax: number,
  ) {}

  /** The iterator must not destroy the request when it is left early: the answer goes the same way. */
  async *messages(): AsyncGenerator<Buffer> {
    let bytes = 0;
    let started = false;
    const pieces = this.request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    for await (const piece of this.orCut(pieces)) {
      bytes += piece.length;
      if (bytes > this.bytesMax) throw this.refuse(tooLarge(this.bytesMax));
      for (let start = 0; start < piece.length; start += BLOB_CHUNK_BYTES) {
        yield this.message(started, piece.subarray(start, start + BLOB_CHUNK_BYTES));
        started = true;
      }
    }
    if (!started) yield this.message(false, Buffer.alloc(0));
  }

  private async *orCut(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* pieces;
    } catch {
      throw this.refuse(new HttpRefusal(400, 'BODY_CUT', 'the body ended early'));
    }
  }

  private message(started: boolean, chunk: Buffer): Buffer {
    return Buffer.from(UploadBlobRequest.encode({ sha256: started ? '' : this.sha256, chunk }).finish());
  }

  private refuse(refusal: HttpRefusal): HttpRefusal {
    this.refusal = refusal;
    return refusal;
  }
}
