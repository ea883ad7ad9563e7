import { createHash } from 'node:crypto';

/**
 * The queue that rings for a node: `dispatch-00` … `dispatch-ff`. The first four bytes of sha256(node_id), big endian,
 * modulo the count (a power of two, at most 256); dispatch computes the same.
 */
export const dispatchQueueOf = (nodeId: string, queueCount: number): string =>
  queueName(createHash('sha256').update(nodeId).digest().readUInt32BE(0) % queueCount);

export const queueName = (index: number): string => `dispatch-${index.toString(16).padStart(2, '0')}`;
