import { UnrecoverableError, Worker, type Job } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';
import { Redis } from 'ioredis';
import { DomainError, type ErrorKind, isUuid } from '@daya/kernel';
import type { Logger } from '@daya/nest';
import type { DeliverOrders } from '../../application/deliver-orders';
import { OFFERS_PER_CALL_MAX } from '../../domain/limits';
import { queueNames } from '../../domain/queue-names';

/** Equal everywhere: a worker that dies leaves a stalled-check key with its own interval, which the next one waits for. */
export const LOCK_MS = 30_000;
const CONCURRENCY = 32;
const READY_MS = 20_000;
/** A job that stalls is rung again by the scheduler's sweeper; BullMQ may try it a few times before that. */
const STALLED_MAX = 5;
const RETRIED: ReadonlySet<ErrorKind> = new Set(['unavailable', 'exhausted', 'aborted']);

export interface DispatchWorkersOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly queueCount: number;
}

/**
 * One worker for each queue. A job is a doorbell with lease ids and no truth: what it is about is asked of the scheduler,
 * and when Redis forgets it the scheduler rings again.
 */
export class DispatchWorkers {
  private readonly workers = new Map<string, Worker>();
  private redis: Redis | undefined;

  constructor(
    private readonly options: DispatchWorkersOptions,
    private readonly orders: DeliverOrders,
    private readonly log: Logger,
  ) {}

  /** Throws when a queue has no running worker within 20 s: the process must not look ready then. */
  async start(): Promise<void> {
    const names = queueNames(this.options.queueCount);
    this.redis = new Redis(this.options.redisUrl, { maxRetriesPerRequest: null, enableReadyCheck: true });
    this.redis.on('error', (error) => this.log.warn({ err: error }, 'Redis'));
    for (const name of names) {
      if (this.workers.has(name)) throw new Error(`the queue ${name} has two workers`);
      this.workers.set(name, this.workerOf(name, this.redis));
    }
    await within(READY_MS, Promise.all([...this.workers.values()].map((worker) => worker.waitUntilReady())));
    const missing = names.filter((name) => this.workers.get(name)?.isRunning() !== true);
    if (missing.length > 0) throw new Error(`queues without a worker: ${missing.join(', ')}`);
  }

  /** Jobs that run are waited for. */
  async stop(): Promise<void> {
    await Promise.all([...this.workers.values()].map((worker) => worker.close()));
    this.workers.clear();
    this.redis?.disconnect();
  }

  private workerOf(name: string, connection: Redis): Worker {
    const worker = new Worker(name, (job: Job) => this.process(job), {
      connection,
      prefix: this.options.prefix,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS,
      maxStalledCount: STALLED_MAX,
      telemetry: new BullMQOtel({ tracerName: 'daya-dispatch' }),
    });
    // Without a listener an error of the connection would end the process; the worker reconnects by itself.
    worker.on('error', (error) => this.log.warn({ err: error, queue: name }, 'BullMQ'));
    worker.on('failed', (job, error) =>
      this.log.info({ queue: name, job_id: job?.id, err: error.message }, 'doorbell failed'),
    );
    return worker;
  }

  private async process(job: Job): Promise<void> {
    const leaseIds = leaseIdsOf(job.data);
    try {
      await this.orders.execute(leaseIds);
    } catch (error) {
      const isFinal = error instanceof DomainError && !RETRIED.has(error.kind);
      throw isFinal ? new UnrecoverableError(`${error.reason}: ${error.message}`) : error;
    }
  }
}

/** Throws UnrecoverableError for a job that is not `{ leaseIds: [1 to 64 UUIDs] }`. */
export function leaseIdsOf(data: unknown): readonly string[] {
  const ids = typeof data === 'object' && data !== null ? (data as { leaseIds?: unknown }).leaseIds : undefined;
  const isValid =
    Array.isArray(ids) &&
    ids.length >= 1 &&
    ids.length <= OFFERS_PER_CALL_MAX &&
    ids.every((id) => typeof id === 'string' && isUuid(id));
  if (!isValid) throw new UnrecoverableError('the job is not a list of lease ids');
  return ids as string[];
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${limitMs} ms`)), limitMs);
  });
  work.catch(() => undefined);
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
