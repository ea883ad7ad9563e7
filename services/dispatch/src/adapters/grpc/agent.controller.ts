import { DomainError } from '@daya/kernel';
import { GrpcService, type CallContext, type GrpcHandlers } from '@daya/nest';
import {
  AgentServiceService,
  type ConnectRequest,
  type ConnectResponse,
  type FetchBlobRequest,
  type FetchBlobResponse,
  type UploadArtifactRequest,
  type UploadArtifactResponse,
} from '@daya/proto/dispatch';
import { ConnectAgent } from '../../application/connect-agent';
import { FetchBlob } from '../../application/fetch-blob';
import type { NodeCertificate } from '../../application/ports';
import { headerMissing, UploadArtifact } from '../../application/upload-artifact';
import type { AgentFrame } from '../../domain/frames';
import { fromProtoFrame, toProtoFrame } from '../proto-frames';
import { openUpload, toByteCount } from './chunks';

/** The agents' entrance; whose node it is only the certificate says. */
@GrpcService(AgentServiceService, [ConnectAgent, FetchBlob, UploadArtifact])
export class AgentController implements GrpcHandlers<typeof AgentServiceService> {
  constructor(
    private readonly connectAgent: ConnectAgent,
    private readonly fetch: FetchBlob,
    private readonly upload: UploadArtifact,
  ) {}

  async *connect(requests: AsyncIterable<ConnectRequest>, context: CallContext): AsyncGenerator<ConnectResponse> {
    const connection = { node: nodeOf(context), frames: framesOf(requests), signal: context.signal };
    for await (const frame of this.connectAgent.execute(connection)) yield { frame: toProtoFrame(frame) };
  }

  async *fetchBlob(request: FetchBlobRequest, context: CallContext): AsyncGenerator<FetchBlobResponse> {
    const wanted = { ...request, offsetBytes: toByteCount(request.offsetBytes) };
    for await (const chunk of this.fetch.execute(nodeOf(context), wanted)) yield { chunk: Buffer.from(chunk) };
  }

  async uploadArtifact(
    requests: AsyncIterable<UploadArtifactRequest>,
    context: CallContext,
  ): Promise<UploadArtifactResponse> {
    const { first, chunks } = await openUpload(requests);
    const { header } = first;
    if (header === undefined) throw headerMissing();
    await this.upload.execute(nodeOf(context), { ...header, bytes: toByteCount(header.bytes) }, chunks);
    return { sha256: header.sha256 };
  }
}

async function* framesOf(requests: AsyncIterable<ConnectRequest>): AsyncGenerator<AgentFrame> {
  for await (const { frame } of requests) yield fromProtoFrame(frame);
}

/** Throws `unauthenticated` CERTIFICATE_INVALID; the listener has checked who signed the certificate. */
function nodeOf(context: CallContext): NodeCertificate {
  const certificate = context.peerCertificate();
  if (context.node === undefined || certificate === undefined) {
    throw new DomainError('unauthenticated', 'CERTIFICATE_INVALID', 'the client certificate names no node');
  }
  const { nodeId, generation } = context.node;
  return { nodeId, generation, expireTime: new Date(certificate.validTo) };
}
