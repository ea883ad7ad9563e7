import { GrpcService, type GrpcHandlers } from '@daya/nest';
import type * as proto from '@daya/proto/scheduler';
import { BlobServiceService } from '@daya/proto/scheduler';
import { CheckBlob, RegisterBlob } from '../../application/blobs';

@GrpcService(BlobServiceService, [RegisterBlob, CheckBlob])
export class BlobController implements GrpcHandlers<typeof BlobServiceService> {
  constructor(
    private readonly register: RegisterBlob,
    private readonly check: CheckBlob,
  ) {}

  async registerBlob(request: proto.RegisterBlobRequest): Promise<proto.RegisterBlobResponse> {
    await this.register.execute(request);
    return {};
  }

  async checkBlob({ organisationId, sha256 }: proto.CheckBlobRequest): Promise<proto.CheckBlobResponse> {
    const bytes = await this.check.execute(organisationId, sha256);
    return { owned: bytes !== undefined, bytes: bytes ?? 0n };
  }
}
