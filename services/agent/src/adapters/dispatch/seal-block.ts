import { sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { SignedUsageBlock, UsageBlock } from '@daya/proto/dispatch';
import { toTimestamp } from '@daya/proto';
import type { SealBlock } from '../files/usage-spool';

/** Encodes ticks and signs the very bytes that metering will check. `generation` is asked anew, because certificates are renewed. */
export function sealBlock(nodeId: string, key: KeyObject, generation: () => number, now: () => Date): SealBlock {
  return (bootId, firstSequence, ticks) => {
    const agentTime = toTimestamp(now());
    const block = UsageBlock.encode({
      nodeId,
      bootId,
      firstSequence: BigInt(firstSequence),
      ticks: ticks.map((tick) => ({
        leaseId: tick.leaseId,
        leaseToken: tick.leaseToken,
        cumulativeMs: BigInt(tick.cumulativeMs),
        agentTime,
        final: tick.final,
      })),
    }).finish();
    return SignedUsageBlock.encode({
      block: Buffer.from(block),
      signature: sign(null, block, key),
      generation: generation(),
    }).finish();
  };
}
