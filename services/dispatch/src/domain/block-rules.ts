import { isUuid } from '@daya/kernel';
import type { BlockSummary } from './frames';
import { TICKS_MAX } from './limits';

export type BlockFault = 'BLOCK_NOT_DECODABLE' | 'BLOCK_OF_ANOTHER_NODE' | 'BLOCK_INVALID';

/** What is wrong with a usage block of this node, or undefined; whether it is signed is asked elsewhere. */
export function faultOfBlock(block: BlockSummary | undefined, nodeId: string): BlockFault | undefined {
  if (block === undefined) return 'BLOCK_NOT_DECODABLE';
  if (block.nodeId !== nodeId) return 'BLOCK_OF_ANOTHER_NODE';
  const inRange = block.tickCount >= 1 && block.tickCount <= TICKS_MAX && block.firstSequence >= 1n;
  return inRange && isUuid(block.bootId) ? undefined : 'BLOCK_INVALID';
}

export const lastSequenceOf = (block: BlockSummary): bigint => block.firstSequence + BigInt(block.tickCount) - 1n;
