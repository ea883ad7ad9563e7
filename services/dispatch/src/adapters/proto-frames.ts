import { Inventory } from '@daya/proto/registry';
import type { AgentFrame as ProtoAgentFrame, ServerFrame as ProtoServerFrame } from '@daya/proto/dispatch';
import type { AgentFrame, ServerFrame } from '../domain/frames';
import { fromProtoReportBody, toProtoOutcome } from './proto-leases';

/** A frame of a newer agent, or an empty one, is `unknown`. */
export function fromProtoFrame(frame: ProtoAgentFrame | undefined): AgentFrame {
  const one = frame?.frame;
  switch (one?.$case) {
    case undefined:
      return { kind: 'unknown' };
    case 'hello': {
      const { inventory, ...hello } = one.value;
      return { kind: 'hello', hello: { ...hello, inventory: inventory && Inventory.encode(inventory).finish() } };
    }
    case 'heartbeat':
      return { kind: 'heartbeat', heartbeat: one.value };
    case 'report': {
      const { report, ...rest } = one.value;
      return { kind: 'report', report: { ...rest, body: fromProtoReportBody(report) } };
    }
    case 'usage':
      return { kind: 'usage', block: one.value };
    case 'log':
      return { kind: 'log', chunk: one.value };
  }
}

export const toProtoFrame = (frame: ServerFrame): ProtoServerFrame => ({ frame: bodyOf(frame) });

function bodyOf(frame: ServerFrame): NonNullable<ProtoServerFrame['frame']> {
  switch (frame.kind) {
    case 'welcome': {
      const { protocolVersion, heartbeatMs, selfFenceMs, nodeId } = frame;
      return { $case: 'welcome', value: { protocolVersion, heartbeatMs, selfFenceMs, nodeId } };
    }
    case 'heartbeat-ack':
      return {
        $case: 'heartbeatAck',
        value: { sequence: frame.sequence, renewedLeaseIds: [...frame.renewedLeaseIds] },
      };
    case 'offer': {
      const { offer, signature, ...ids } = frame.offer;
      return { $case: 'offer', value: { ...ids, offer: Buffer.from(offer), signature: Buffer.from(signature) } };
    }
    case 'stop':
      return { $case: 'stop', value: frame.stop };
    case 'report-ack':
      return {
        $case: 'reportAck',
        value: { reportId: frame.reportId, outcome: toProtoOutcome(frame.outcome), reason: frame.reason },
      };
    case 'usage-ack':
      return { $case: 'usageAck', value: { bootId: frame.bootId, lastSequence: frame.lastSequence } };
    case 'redirect':
      return { $case: 'redirect', value: { agentAddress: frame.agentAddress } };
  }
}
