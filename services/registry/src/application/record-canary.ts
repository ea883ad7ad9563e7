import type { Clock } from '@daya/kernel';
import type { AdmissionDecision } from '../domain/node';
import { decide } from './admit-nodes';
import type { Transaction } from './ports';

export interface FinishedCanary {
  readonly jobId: string;
  readonly nodeId: string;
  readonly decision: AdmissionDecision;
}

/**
 * A canary has finished: the node that waits for it is admitted or refused. When the node does not know this job yet (the
 * answer of its submission was lost or is under way), it is asked after at once instead of being believed blindly.
 */
export class RecordCanary {
  constructor(private readonly clock: Clock) {}

  async execute(tx: Transaction, { jobId, nodeId, decision }: FinishedCanary): Promise<void> {
    const node = await tx.fleet.lockNode(nodeId);
    if (node === undefined || node.admissionState !== 'pending' || node.revokeTime !== undefined) return;
    const now = this.clock.now();
    if (node.canaryJobId === jobId) return decide(tx, node, decision, now);
    if (node.canaryDueTime !== undefined) await tx.fleet.saveNode({ ...node, canaryDueTime: now });
  }
}
