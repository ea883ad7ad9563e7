import { GrpcService, type CallContext, type GrpcHandlers } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import {
  EnrolmentServiceService,
  type EnrolRequest,
  type EnrolResponse,
  type RenewRequest,
  type RenewResponse,
} from '@daya/proto/dispatch';
import { EnrolNode } from '../../application/enrol-node';

/** Where machines get and renew their certificates; open to anyone, so it does nothing else. */
@GrpcService(EnrolmentServiceService, [EnrolNode])
export class EnrolmentController implements GrpcHandlers<typeof EnrolmentServiceService> {
  constructor(private readonly enrolNode: EnrolNode) {}

  async enrol(request: EnrolRequest, context: CallContext): Promise<EnrolResponse> {
    const node = await this.enrolNode.enrol(addressOf(context), request.token, request.certificateRequest);
    return {
      nodeId: node.nodeId,
      certificateChain: node.certificateChain,
      schedulerPublicKey: Buffer.from(node.schedulerPublicKey),
      generation: node.generation,
      expireTime: toTimestamp(node.expireTime),
      agentAddress: this.enrolNode.agentAddress,
    };
  }

  async renew(request: RenewRequest, context: CallContext): Promise<RenewResponse> {
    const { certificateChain, generation, expireTime } = await this.enrolNode.renew(addressOf(context), request);
    return { certificateChain, generation, expireTime: toTimestamp(expireTime) };
  }
}

/** The peer's address without its port. */
const addressOf = (context: CallContext): string => context.peer.replace(/:\d+$/, '');
