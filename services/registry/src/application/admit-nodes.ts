import type { Clock } from '@daya/kernel';
import { canaryRequestId, decideAdmission, type AdmissionDecision, type Node } from '../domain/node';
import type { Canaries, CanaryStatus, Policy, Store, Transaction } from './ports';
import { saveAndTell } from './tell-node';

const BATCH = 16;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;

/**
 * Submits the canaries that are due and asks after those that nothing was heard of: the same request id gets the same job,
 * so a lost answer or event costs time and nothing else.
 */
export class AdmitNodes {
  constructor(
    private readonly store: Store,
    private readonly canaries: Canaries,
    private readonly clock: Clock,
    private readonly policy: Policy,
  ) {}

  /** Works on one batch. Returns how many canaries were due, and what kept some of them from being submitted. */
  async execute(): Promise<{ readonly due: number; readonly failures: readonly unknown[] }> {
    const due = await this.claim();
    const results = await Promise.allSettled(due.map((node) => this.advance(node)));
    return {
      due: due.length,
      failures: results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : [])),
    };
  }

  /** Moves the due times on before the calls, so that a crash in between only delays. */
  private claim(): Promise<readonly Node[]> {
    return this.store.transaction('system', async (tx) => {
      const now = this.clock.now();
      const due = await tx.fleet.lockDueCanaries(now, BATCH);
      const next = new Date(now.getTime() + this.policy.canaryPollMs);
      await tx.fleet.saveNodes(due.map((node) => ({ ...node, canaryDueTime: next })));
      return due;
    });
  }

  private async advance(node: Node): Promise<void> {
    try {
      const status = await this.canaries.submit(canaryRequestId(node), node.nodeId);
      await this.record(node, status);
    } catch (error) {
      await this.postpone(node);
      throw error;
    }
  }

  /** Nothing to do when the node reported another inventory meanwhile: that one has a canary of its own. */
  private async record(submitted: Node, status: CanaryStatus): Promise<void> {
    await this.store.transaction('system', async (tx) => {
      const node = await lockUnchanged(tx, submitted);
      if (node === undefined) return;
      if (status.outcome === 'running')
        return tx.fleet.saveNode({ ...node, canaryJobId: status.jobId, canaryAttempts: 0 });
      await decide(tx, { ...node, canaryJobId: status.jobId }, decisionOf(status), this.clock.now());
    });
  }

  private async postpone(submitted: Node): Promise<void> {
    await this.store.transaction('system', async (tx) => {
      const node = await lockUnchanged(tx, submitted);
      if (node === undefined) return;
      const canaryAttempts = node.canaryAttempts + 1;
      const waitMs = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(canaryAttempts - 1, 10), BACKOFF_MAX_MS);
      await tx.fleet.saveNode({
        ...node,
        canaryAttempts,
        canaryDueTime: new Date(this.clock.now().getTime() + waitMs),
      });
    });
  }
}

async function lockUnchanged(tx: Transaction, { nodeId, inventoryGeneration }: Node): Promise<Node | undefined> {
  const node = await tx.fleet.lockNode(nodeId);
  const waits = node?.admissionState === 'pending' && node.revokeTime === undefined;
  return waits && node.inventoryGeneration === inventoryGeneration ? node : undefined;
}

function decisionOf({ outcome, reason }: CanaryStatus): AdmissionDecision {
  return outcome === 'succeeded' ? { admitted: true } : { admitted: false, reason };
}

export async function decide(tx: Transaction, node: Node, decision: AdmissionDecision, now: Date): Promise<void> {
  const next = decideAdmission(node, decision, now);
  if (next !== node) await saveAndTell(tx, next);
}
