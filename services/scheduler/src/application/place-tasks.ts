import type { IdGenerator } from '@daya/kernel';
import type { SchedulerEvent } from '../domain/events';
import { isCanary, remainingMs } from '../domain/job';
import type { JobSpec } from '../domain/job-spec';
import type { LeaseTerms, Run } from '../domain/lease';
import type { Occupation } from '../domain/market';
import { choose, choosePinned, type Choice } from '../domain/placement';
import { GPU_MILLI } from '../domain/quote';
import { wantedOf } from '../domain/requirements';
import type { ArrivingJobs } from './arrivals';
import type { MarketState } from './market-state';
import type { Doorbell, Ring, Store, WaitingTask } from './ports';

/** Leases in one transaction. */
export const PLACEMENTS_MAX = 256;
/** Jobs that arrive in one transaction. */
const ARRIVALS_MAX = 64;

interface Placed {
  readonly waiting: WaitingTask;
  readonly terms: LeaseTerms;
  readonly occupation: Occupation;
}

/**
 * Queues the jobs that arrive and gives waiting tasks, oldest first, the cheapest place at or below their quoted price. A
 * batch is one transaction under this writer's range; after the commit, never before, dispatch is rung. Throws `aborted` WRITER_FENCED when another
 * writer was there: the caller steps down.
 */
export class PlaceTasks {
  private readonly shapes = new WeakMap<JobSpec, string>();

  constructor(
    private readonly store: Store,
    private readonly state: MarketState,
    private readonly doorbell: Doorbell,
    private readonly ids: IdGenerator,
  ) {}

  /** One batch. Returns whether another may follow at once. */
  async execute(): Promise<boolean> {
    const rangeId = this.state.rangeId;
    const arrivals = this.state.arrivals.take(ARRIVALS_MAX);
    const batch = this.choosePlaces(arrivals);
    if (batch.length === 0 && arrivals.list.length === 0) return false;
    try {
      const rings = await this.commit(batch, arrivals, rangeId);
      void this.doorbell.ring(rings);
    } catch (error) {
      for (const { terms } of batch) this.state.market.release(terms.leaseId);
      arrivals.answer(new Set());
      throw error;
    }
    return batch.length === PLACEMENTS_MAX || arrivals.list.length === ARRIVALS_MAX;
  }

  /** Books places in memory at once, so that no two of a batch get the same GPU. */
  private choosePlaces(arrivals: ArrivingJobs): Placed[] {
    const { market } = this.state;
    const now = this.state.now();
    const batch: Placed[] = [];
    const hopeless = new Set<string>();
    for (const waiting of oldestFirst(this.state.waiting, arrivals)) {
      if (batch.length === PLACEMENTS_MAX) break;
      const { task, job } = waiting;
      const shape = this.shapeOf(waiting);
      if (hopeless.has(shape)) continue;
      const wanted = wantedOf(job.spec, task.priceMicrosMax);
      const choice = isCanary(job)
        ? choosePinned(market, job.canaryNodeId, wanted, now.getTime())
        : choose(market, wanted, now.getTime());
      if (!choice) {
        hopeless.add(shape);
        continue;
      }
      const placed = this.place(waiting, choice, now);
      market.take(placed.occupation);
      batch.push(placed);
    }
    return batch;
  }

  /** Equal for tasks that want the same: where one finds no place, none does, whosever it is. */
  private shapeOf({ task, job }: WaitingTask): string {
    let shape = this.shapes.get(job.spec);
    if (shape === undefined) {
      const { requirements, network, maxRunSeconds } = wantedOf(job.spec);
      const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
      shape = JSON.stringify([requirements, network, maxRunSeconds, job.canaryNodeId], text);
      this.shapes.set(job.spec, shape);
    }
    return `${task.priceMicrosMax} ${shape}`;
  }

  private place(waiting: WaitingTask, { node, offer, gpus }: Choice, now: Date): Placed {
    const { task, job } = waiting;
    const { cpuMilli, memoryMib, scratchMib } = job.spec.requirements;
    const leaseId = this.ids.next();
    const leaseToken = (this.state.tokens.get(node.nodeId) ?? 0n) + 1n;
    this.state.tokens.set(node.nodeId, leaseToken);
    const gpuUuids = gpus.map(({ uuid }) => uuid);
    const terms: LeaseTerms = {
      leaseId,
      leaseToken,
      nodeId: node.nodeId,
      providerId: node.providerId,
      providerOrganisationId: node.organisationId,
      organisationId: job.organisationId,
      projectId: job.projectId,
      jobId: job.jobId,
      taskId: task.taskId,
      taskIndex: task.taskIndex,
      runNumber: task.runCount + 1,
      offerId: offer?.offerId ?? '',
      offerVersion: offer?.version ?? 0n,
      gpuModelId: gpus[0]?.gpuModelId ?? '',
      gpuUuids,
      gpuMilli: gpus.length * GPU_MILLI,
      priceMicrosPerGpuHour: offer?.priceMicrosPerGpuHour ?? 0n,
      emulated: node.emulated || (offer?.emulated ?? false),
      canary: isCanary(job),
      cpuMilli,
      memoryMib,
      scratchMib,
      grantTime: now,
      answerTime: new Date(now.getTime() + this.state.timers.offerMs),
      maxRunMs: remainingMs(job.spec, task),
    };
    return { waiting, terms, occupation: { leaseId, nodeId: node.nodeId, gpuUuids, cpuMilli, memoryMib, scratchMib } };
  }

  private async commit(batch: readonly Placed[], arrivals: ArrivingJobs, rangeId: bigint): Promise<Ring[]> {
    const now = this.state.now();
    const expireTime = new Date(now.getTime() + this.state.timers.leaseTtlMs);
    const { queued, granted } = await this.store.transaction('system', async (tx) => {
      const [, queued, stillWaiting] = await Promise.all([
        tx.leases.requireRange(rangeId),
        tx.jobs.queueFunded(arrivals.list),
        tx.leases.lockQueued(batch.map(({ waiting }) => waiting.task)),
      ]);
      for (const { job, announce } of arrivals.list) if (queued.has(job.jobId)) await announce(tx);
      const placed = batch.filter(({ waiting }) => stillWaiting.has(waiting.task.taskId));
      await tx.leases.grant(
        placed.map(({ terms }) => terms),
        expireTime,
      );
      await tx.events.append(
        placed.map(({ terms }): SchedulerEvent => ({
          type: 'lease-granted',
          run: newRun(terms, expireTime),
          version: 1n,
        })),
      );
      return { queued, granted: new Set(placed) };
    });
    for (const { job, tasks } of arrivals.list) if (queued.has(job.jobId)) this.state.addWaiting(job, tasks);
    arrivals.answer(queued);
    return batch.flatMap((placed) => this.remember(placed, granted.has(placed), expireTime));
  }

  private remember({ waiting, terms, occupation }: Placed, granted: boolean, expireTime: Date): Ring[] {
    const { taskId } = waiting.task;
    if (!granted) {
      // Cancelled meanwhile, or an old word of it, after which a newer one may wait. Its token is never used: only a gap.
      if (this.state.waiting.get(taskId) === waiting) this.state.waiting.delete(taskId);
      this.state.market.release(terms.leaseId);
      return [];
    }
    this.state.waiting.delete(taskId);
    const run = newRun(terms, expireTime);
    // A final task is never placed on arrival: nothing of the others' work belongs to such an offer.
    if (waiting.sealed) this.state.freshOffers.add({ run, spec: waiting.job.spec, ...waiting.sealed, earlier: [] });
    return [this.state.ringOf(this.state.granted(run, occupation))];
  }
}

function* oldestFirst(waiting: ReadonlyMap<string, WaitingTask>, arrivals: ArrivingJobs): Iterable<WaitingTask> {
  yield* waiting.values();
  yield* arrivals.waiting;
}

const newRun = (terms: LeaseTerms, expireTime: Date): Run => ({
  terms,
  state: 'OFFERED',
  startTime: undefined,
  endTime: undefined,
  closeTime: undefined,
  expireTime,
  exitCode: 0,
  reason: '',
  fault: undefined,
  stopReason: undefined,
  eventVersion: 1n,
});
