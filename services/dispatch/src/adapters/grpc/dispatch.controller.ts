import { GrpcService, type CallContext, type GrpcHandlers } from '@daya/nest';
import {
  DispatchServiceService,
  type DownloadBlobRequest,
  type DownloadBlobResponse,
  type FollowLogRequest,
  type FollowLogResponse,
  type UploadBlobRequest,
  type UploadBlobResponse,
} from '@daya/proto/dispatch';
import { DownloadBlob, UploadBlob } from '../../application/customer-blobs';
import { FollowLog } from '../../application/follow-log';
import { openUpload, toByteCount } from './chunks';

/** Logs and blobs for members, through the gateway. */
@GrpcService(DispatchServiceService, [FollowLog, UploadBlob, DownloadBlob])
export class DispatchController implements GrpcHandlers<typeof DispatchServiceService> {
  constructor(
    private readonly follow: FollowLog,
    private readonly upload: UploadBlob,
    private readonly download: DownloadBlob,
  ) {}

  async *followLog(request: FollowLogRequest, context: CallContext): AsyncGenerator<FollowLogResponse> {
    const wanted = { ...request, offsetBytes: toByteCount(request.offsetBytes) };
    for await (const piece of this.follow.execute(wanted, { callerToken: context.callerToken }, context.signal)) {
      yield { ...piece, offsetBytes: BigInt(piece.offsetBytes), data: Buffer.from(piece.data) };
    }
  }

  async uploadBlob(requests: AsyncIterable<UploadBlobRequest>, context: CallContext): Promise<UploadBlobResponse> {
    const { first, chunks } = await openUpload(requests);
    const bytes = await this.upload.execute(context.caller, first.sha256, chunks);
    return { sha256: first.sha256, bytes: BigInt(bytes) };
  }

  async *downloadBlob(request: DownloadBlobRequest, context: CallContext): AsyncGenerator<DownloadBlobResponse> {
    const chunks = this.download.execute(context.caller, request.sha256, toByteCount(request.offsetBytes));
    for await (const chunk of chunks) yield { chunk: Buffer.from(chunk) };
  }
}
