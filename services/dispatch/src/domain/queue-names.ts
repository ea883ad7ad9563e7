const QUEUES_MAX = 256;

/** `dispatch-00` … : one for each shard of nodes. Throws a plain Error when the count is no power of two up to 256. */
export function queueNames(count: number): readonly string[] {
  if (!Number.isInteger(Math.log2(count)) || count > QUEUES_MAX) {
    throw new Error(`DISPATCH_QUEUE_COUNT must be a power of two, at most ${QUEUES_MAX}`);
  }
  return Array.from({ length: count }, (_, index) => `dispatch-${index.toString(16).padStart(2, '0')}`);
}
