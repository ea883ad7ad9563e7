import type { Logger } from '@daya/nest';
import { Queue, type JobsOptions } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';
import { Redis } from 'ioredis';
import { Doorbell, type Ring } from '../../application/ports';
import { dispatchQueueOf } from './dispatch-queue';

/** Lease ids in one job of a queue. */
export const LEASES_PER_JOB_MAX = 64;
export const JOB_NAME = 'lease';
const COMMAND_TIMEOUT_MS = 2_000;

/** A finished job must be gone, else the same id rung again would be ignored. */
const JOB_OPTIONS: JobsOptions = {
  removeOnComplete: true,
  removeOnFail: 100,
  attempts: 5,
  backoff: { type: 'exponential', delay: 200 },
};

export interface DoorbellOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly queueCount: number;
}

/** Wakes dispatch through BullMQ. Fails fast: while Redis is away nothing queues up here, the sweep rings again. */
export class BullmqDoorbell extends Doorbell {
  private readonly redis: Redis;
  private readonly queues = new Map<string, Queue>();

  constructor(
    private readonly options: DoorbellOptions,
    private readonly log: Logger,
  ) {
    super();
    this.redis = new Redis(options.redisUrl, {
      maxRetriesPerRequest: 1,
      enableOfflineQueue: false,
      commandTimeout: COMMAND_TIMEOUT_MS,
    });
    this.redis.on('error', (error) => this.log.debug({ err: error }, 'redis is away'));
  }

  /** Waits for the first connection, at most a moment: a missing Redis delays work and stops nothing. */
  async open(): Promise<void> {
    if (this.redis.status === 'ready') return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, COMMAND_TIMEOUT_MS);
      this.redis.once('ready', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  override async ring(rings: readonly Ring[]): Promise<void> {
    const byQueue = new Map<string, Ring[]>();
    for (const ring of rings) {
      const name = dispatchQueueOf(ring.nodeId, this.options.queueCount);
      byQueue.set(name, [...(byQueue.get(name) ?? []), ring]);
    }
    await Promise.all([...byQueue].map(([name, ofQueue]) => this.add(name, ofQueue)));
  }

  async close(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close().catch(() => undefined)));
    this.redis.disconnect();
  }

  private async add(name: string, rings: readonly Ring[]): Promise<void> {
    try {
      await this.queue(name).addBulk(jobsOf(rings));
    } catch (error) {
      this.log.warn({ err: error, queue: name, leases: rings.length }, 'dispatch was not rung; the sweep will');
    }
  }

  private queue(name: string): Queue {
    const known = this.queues.get(name);
    if (known) return known;
    const queue = new Queue(name, {
      connection: this.redis,
      prefix: this.options.prefix,
      telemetry: new BullMQOtel({ tracerName: 'daya-scheduler' }),
      skipWaitingForReady: true,
    });
    queue.on('error', (error) => this.log.debug({ err: error, queue: name }, 'queue error'));
    this.queues.set(name, queue);
    return queue;
  }
}

function jobsOf(rings: readonly Ring[]): { name: string; data: { leaseIds: string[] }; opts: JobsOptions }[] {
  const jobs = [];
  for (let from = 0; from < rings.length; from += LEASES_PER_JOB_MAX) {
    const some = rings.slice(from, from + LEASES_PER_JOB_MAX);
    const jobId = `lease-${some[0]?.leaseId ?? ''}-${some[0]?.attempt ?? 0}`;
    jobs.push({
      name: JOB_NAME,
      data: { leaseIds: some.map(({ leaseId }) => leaseId) },
      opts: { ...JOB_OPTIONS, jobId },
    });
  }
  return jobs;
}
