import { DomainError, type Clock, type Timers } from '@daya/kernel';
import { Heartbeats } from '../domain/connectivity';
import type { Job, Task } from '../domain/job';
import { isEnded, type Run, type StopReason } from '../domain/lease';
import { LeaseBook, type LiveLease } from '../domain/lease-book';
import { Market, type Occupation } from '../domain/market';
import { Arrivals, type Arrival } from './arrivals';
import { FreshOffers } from './fresh-offers';
import type { LockedRun, OfferFacts, OpenLease, Ring, WaitingTask } from './ports';

/** What the one writer of leases keeps in memory. All of it can be read again from the database. */
export class MarketState {
  market = new Market();
  book: LeaseBook;
  heartbeats: Heartbeats;
  /** The highest token given on each node. */
  tokens = new Map<string, bigint>();
  /** Tasks that wait for a place, oldest first. */
  readonly waiting = new Map<string, WaitingTask>();
  readonly arrivals = new Arrivals();
  readonly freshOffers = new FreshOffers();
  /** Nodes whose connectivity the registry has not been told. */
  readonly unreported = new Set<string>();
  private readonly refusals = new Map<string, number>();
  private range: bigint | undefined;
  private onWake: () => void = () => undefined;

  constructor(
    readonly timers: Timers,
    private readonly clock: Clock,
    readonly scale: number,
  ) {
    this.book = new LeaseBook(timers);
    this.heartbeats = this.newHeartbeats();
  }

  now(): Date {
    return this.clock.now();
  }

  /** Forgets everything; the next step is to read it again. */
  clear(): void {
    this.market = new Market();
    this.book = new LeaseBook(this.timers);
    this.heartbeats = this.newHeartbeats();
    this.tokens = new Map();
    this.waiting.clear();
    this.unreported.clear();
    this.refusals.clear();
  }

  lead(rangeId: bigint, onWake: () => void): void {
    this.range = rangeId;
    this.onWake = onWake;
  }

  stepDown(): void {
    this.range = undefined;
    this.onWake = () => undefined;
    this.arrivals.sendBack();
    this.freshOffers.clear();
  }

  get isLeading(): boolean {
    return this.range !== undefined;
  }

  /** The range this process writes under. Throws `unavailable` NOT_LEADING while another process is the writer. */
  get rangeId(): bigint {
    if (this.range === undefined)
      throw new DomainError('unavailable', 'NOT_LEADING', 'another scheduler is the writer');
    return this.range;
  }

  /** Has the writer queue a funded job. False when it is not here or did not: the caller must then do it. */
  arrive(arrival: Arrival): Promise<boolean> {
    if (!this.isLeading) return Promise.resolve(false);
    const isQueued = this.arrivals.bring(arrival);
    this.wake();
    return isQueued;
  }

  /** Something may be placed now that could not before. */
  wake(): void {
    this.onWake();
  }

  addWaiting(job: Job, tasks: readonly Task[]): void {
    for (const task of tasks) if (task.state === 'QUEUED') this.waiting.set(task.taskId, { task, job });
  }

  dropJob(jobId: string): void {
    for (const [taskId, { job }] of this.waiting) if (job.jobId === jobId) this.waiting.delete(taskId);
  }

  /** Puts a lease that was found in the database into the book and the market. */
  restore({ run, occupation }: OpenLease, nowMs: number): void {
    this.market.take(occupation);
    this.book.add(liveOf(run, nowMs, this.timers));
  }

  granted(run: Run, occupation: Occupation): LiveLease {
    const lease = liveOf(run, this.now().getTime(), this.timers);
    lease.expireAtMs = run.expireTime.getTime();
    this.book.add(lease);
    this.market.take(occupation);
    return lease;
  }

  /** Brings the book and the market in line with a run that was stored. */
  apply(run: Run): void {
    const lease = this.book.get(run.terms.leaseId);
    if (!lease) return;
    if (run.closeTime) {
      this.book.remove(lease.leaseId);
      this.market.release(lease.leaseId);
    } else if (isEnded(run)) {
      lease.phase = 'QUARANTINED';
    } else {
      if (run.state !== 'OFFERED' && lease.phase === 'OFFERED') lease.phase = 'HELD';
      lease.startAtMs = run.startTime?.getTime();
    }
  }

  /** Runs with the end that the last renewal gave, which may not be stored yet. */
  withRenewals(locked: readonly LockedRun[]): LockedRun[] {
    return locked.map((one) => {
      const expireAtMs = this.book.get(one.run.terms.leaseId)?.expireAtMs ?? 0;
      if (isEnded(one.run) || expireAtMs <= one.run.expireTime.getTime()) return one;
      return { ...one, run: { ...one.run, expireTime: new Date(expireAtMs) } };
    });
  }

  /** An offer of this writer that nobody has fetched and that stands; undefined: ask the database. */
  takeFresh(leaseId: string): OfferFacts | undefined {
    const facts = this.freshOffers.take(leaseId);
    const lease = this.book.get(leaseId);
    return lease?.phase === 'OFFERED' && lease.stopReason === undefined ? facts : undefined;
  }

  stop(leaseId: string, reason: StopReason): Ring | undefined {
    const lease = this.book.get(leaseId);
    if (!lease || lease.phase === 'QUARANTINED') return undefined;
    lease.stopReason = reason;
    return this.ringOf(lease);
  }

  ringOf(lease: LiveLease): Ring {
    lease.rungAtMs = this.now().getTime();
    lease.ringCount += 1;
    return { leaseId: lease.leaseId, nodeId: lease.nodeId, attempt: lease.ringCount };
  }

  /** A node that said no, or nothing, gets no new work for a while, longer each time. */
  penalise(nodeId: string): void {
    const count = (this.refusals.get(nodeId) ?? 0) + 1;
    this.refusals.set(nodeId, count);
    const coolMs = Math.min(this.timers.offerMs * 2 ** (count - 1), COOL_DOWN_MS_MAX);
    this.market.coolDown(nodeId, this.now().getTime() + coolMs);
  }

  /** A node that runs something is well again. */
  forgive(nodeId: string): void {
    if (this.refusals.delete(nodeId)) this.market.coolDown(nodeId, 0);
  }

  private newHeartbeats(): Heartbeats {
    return new Heartbeats(this.timers, (nodeId) => this.market.node(nodeId)?.region ?? '', this.scale);
  }
}

const COOL_DOWN_MS_MAX = 300_000;

/** A new writer gives every live lease one full life: it does not know which renewals were promised and not stored. */
function liveOf(run: Run, nowMs: number, timers: Timers): LiveLease {
  const { terms } = run;
  const ended = isEnded(run);
  const storedExpireAtMs = run.expireTime.getTime();
  const ownQuarantineMs = storedExpireAtMs + timers.reassignMs - timers.leaseTtlMs;
  return {
    leaseId: terms.leaseId,
    leaseToken: terms.leaseToken,
    nodeId: terms.nodeId,
    jobId: terms.jobId,
    phase: ended ? 'QUARANTINED' : run.state === 'OFFERED' ? 'OFFERED' : 'HELD',
    grantAtMs: terms.grantTime.getTime(),
    answerAtMs: terms.answerTime.getTime(),
    acceptAtMs: undefined,
    startAtMs: run.startTime?.getTime(),
    maxRunMs: terms.maxRunMs,
    expireAtMs: Math.max(storedExpireAtMs, nowMs + timers.leaseTtlMs),
    storedExpireAtMs,
    closeAtMs: ended ? ownQuarantineMs : Number.POSITIVE_INFINITY,
    stopReason: run.stopReason,
    rungAtMs: nowMs,
    ringCount: 0,
  };
}
