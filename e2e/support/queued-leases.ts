import { Queue } from 'bullmq';
import type { Platform } from './platform';

/** Where a job is that somebody will still work on. */
const LIVE = ['wait', 'prioritized', 'active', 'delayed', 'waiting-children'] as const;

/** dispatch's queues, as scheduler fills them. To be closed by whoever asks. */
export function dispatchQueues({ env }: Pick<Platform, 'env'>): Queue[] {
  const { REDIS_URL: url, BULLMQ_PREFIX: prefix, DISPATCH_QUEUE_COUNT: count } = env['dispatch'] ?? {};
  if (url === undefined || prefix === undefined || count === undefined)
    throw new Error('platform.json does not say where dispatch has its queues');
  return Array.from({ length: Number(count) }, (_, index) => {
    const name = `dispatch-${index.toString(16).padStart(2, '0')}`;
    const queue = new Queue(name, { connection: { url, maxRetriesPerRequest: 3 }, prefix });
    // Without a listener a lost connection would end the process; what is asked meanwhile fails by itself.
    queue.on('error', () => undefined);
    return queue;
  });
}

/** The leases that Redis holds a bell for, now. */
export async function queuedLeaseIds(platform: Pick<Platform, 'env'>): Promise<string[]> {
  const queues = dispatchQueues(platform);
  try {
    const jobs = await Promise.all(queues.map((queue) => queue.getJobs([...LIVE])));
    // A job that is done between two questions is there no more.
    return jobs.flat().flatMap((job) => (job as { data?: { leaseIds?: string[] } } | undefined)?.data?.leaseIds ?? []);
  } finally {
    await Promise.all(queues.map((queue) => queue.close()));
  }
}
