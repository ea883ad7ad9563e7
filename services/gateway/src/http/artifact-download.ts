import type { ServerResponse } from 'node:http';
import { DomainError } from '@daya/kernel';
import { DownloadBlobRequest, DownloadBlobResponse } from '@daya/proto/dispatch';
import { GetArtifactResponse, type Artifact } from '@daya/proto/scheduler';
import type { StreamSlots } from '../access/stream-slots';
import { toRequestBytes } from '../api/request-mapping';
import type { ApiMethod } from '../api/catalogue';
import { CALL_MS } from '../limits';
import type { Peers } from '../peers';
import { BLOB_TYPE } from './blob-upload';
import { reasonOf } from './events';
import { writeSlowly } from './exchange';
import type { Handler, Visit } from './front-door';
import { HttpRefusal } from './refusal';

export const GET_ARTIFACT = '/daya.scheduler.v1.SchedulerService/GetArtifact';
export const DOWNLOAD_BLOB = '/daya.dispatch.v1.DispatchService/DownloadBlob';
const FROM_OFFSET = /^bytes=(\d{1,15})-$/;

/** A task's artifact, looked up in the scheduler and streamed from the blob store; resumable by `Range: bytes=<n>-`. */
export function artifactHandler(peers: Peers, slots: StreamSlots, getArtifact: ApiMethod): Handler {
  const find = peers.unary(getArtifact.path);
  const download = peers.serverStream(DOWNLOAD_BLOB);
  return async (visit) => {
    const { exchange, admitted, variables } = visit;
    const { request, response, gone } = exchange;
    const bytes = toRequestBytes(getArtifact.descriptor.input, {
      variables,
      query: exchange.query,
      body: undefined,
      idempotencyKey: undefined,
    });
    const reply = await find(Buffer.from(bytes), { caller: admitted.member, deadlineMs: CALL_MS, signal: gone });
    const { artifact } = GetArtifactResponse.decode(reply);
    if (artifact === undefined) throw new DomainError('not-found', 'ARTIFACT_NOT_FOUND', 'artifact not found');
    if (request.headers['if-none-match'] === etagOf(artifact))
      return void response.writeHead(304, { etag: etagOf(artifact) }).end();
    const offset = offsetOf(request.headers.range, artifact);
    await stream(visit, slots, artifact, offset, (signal) =>
      download(
        Buffer.from(DownloadBlobRequest.encode({ sha256: artifact.sha256, offsetBytes: BigInt(offset) }).finish()),
        {
          caller: admitted.member,
          signal,
        },
      ),
    );
  };
}

async function stream(
  { exchange, admitted }: Visit,
  slots: StreamSlots,
  artifact: Artifact,
  offset: number,
  open: (signal: AbortSignal) => AsyncIterable<Buffer>,
): Promise<void> {
  const { response, gone } = exchange;
  const slot = slots.take(admitted, gone);
  const expected = Number(artifact.bytes) - offset;
  let sent = 0;
  try {
    for await (const message of open(slot.signal)) {
      const { chunk } = DownloadBlobResponse.decode(message);
      if (!response.headersSent) writeHead(response, artifact, offset);
      sent += chunk.length;
      if (sent > expected) throw new Error('the blob is longer than its artifact');
      await writeSlowly(response, chunk, slot.signal);
    }
    if (sent !== expected) throw new Error('the blob is shorter than its artifact');
    if (!response.headersSent) writeHead(response, artifact, offset);
    response.end();
  } catch (error) {
    throw reasonOf(slot.signal, error);
  } finally {
    slot.release();
  }
}

const etagOf = ({ sha256 }: Artifact): string => `"${sha256}"`;

/** Throws HttpRefusal 416 for a start behind the end; other ranges than `bytes=<n>-` are answered with the whole. */
function offsetOf(range: string | undefined, { bytes }: Artifact): number {
  const from = FROM_OFFSET.exec(range ?? '')?.[1];
  if (from === undefined) return 0;
  const offset = Number(from);
  if (offset < Number(bytes)) return offset;
  throw new HttpRefusal(416, 'RANGE_NOT_SATISFIABLE', 'the range starts behind the end', {
    headers: { 'content-range': `bytes */${bytes}` },
  });
}

function writeHead(response: ServerResponse, artifact: Artifact, offset: number): void {
  const total = Number(artifact.bytes);
  const name = encodeURIComponent(artifact.path.split('/').at(-1) ?? '').replace(/['()*]/g, '_');
  response.writeHead(offset === 0 ? 200 : 206, {
    'content-type': BLOB_TYPE,
    'content-length': total - offset,
    'content-disposition': `attachment; filename*=UTF-8''${name}`,
    'accept-ranges': 'bytes',
    etag: etagOf(artifact),
    ...(offset > 0 && { 'content-range': `bytes ${offset}-${total - 1}/${total}` }),
  });
}
