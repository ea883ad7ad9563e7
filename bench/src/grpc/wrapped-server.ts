import { z } from 'zod';
import { baseConfigShape, GrpcService, loadConfig, runService, type CallContext, type GrpcHandlers } from '@daya/nest';
import type { GetNodeRequest, GetNodeResponse } from '@daya/proto/registry';
import { answerMeasurements, replyTo, SUBJECT } from './subject';

/** A service as production runs it: identity, deadline, rule, metrics, log and errors; only its handler does no work. */
@GrpcService(SUBJECT, [])
class NodeController implements GrpcHandlers<typeof SUBJECT> {
  async getNode(request: GetNodeRequest, { caller }: CallContext): Promise<GetNodeResponse> {
    if (caller.kind === 'system' && caller.service === 'anonymous') throw new Error('the call has no identity');
    return replyTo(request.nodeId);
  }
}

class BenchModule {}

void runService({
  name: 'registry',
  config: loadConfig(z.object(baseConfigShape), process.env),
  module: { module: BenchModule, controllers: [NodeController] },
  grpc: [SUBJECT],
}).then(({ ports }) => answerMeasurements(ports['grpc'] ?? 0));
