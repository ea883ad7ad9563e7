import type { Job, Task } from '../domain/job';
import type { SealedSecrets, Transaction, WaitingTask } from './ports';

/** A job whose money is set aside, on its way into the market. */
export interface Arrival {
  /** As it will be stored: QUEUED, its version moved on. */
  readonly job: Job;
  readonly tasks: readonly Task[];
  readonly secrets: SealedSecrets;
  /** Writes its event, in the trace of the call that brought it. */
  readonly announce: (tx: Transaction) => Promise<void>;
}

interface Expected {
  readonly arrival: Arrival;
  readonly answer: (isQueued: boolean) => void;
}

/**
 * Jobs that the writer takes into its next transaction, so that queueing and placing commit together. Whoever brings one
 * learns whether it was queued; if not, for whatever reason, he queues it himself.
 */
export class Arrivals {
  private readonly expected: Expected[] = [];

  /** A job that another call has just brought is refused: each has tasks of its own, and a job is queued once. */
  bring(arrival: Arrival): Promise<boolean> {
    const { jobId } = arrival.job;
    if (this.expected.some((other) => other.arrival.job.jobId === jobId)) return Promise.resolve(false);
    return new Promise((answer) => this.expected.push({ arrival, answer }));
  }

  take(limit: number): ArrivingJobs {
    return new ArrivingJobs(this.expected.splice(0, limit));
  }

  sendBack(): void {
    this.take(this.expected.length).answer(new Set());
  }
}

/** The arrivals of one transaction. */
export class ArrivingJobs {
  constructor(private readonly expected: readonly Expected[]) {}

  get list(): readonly Arrival[] {
    return this.expected.map(({ arrival }) => arrival);
  }

  /** Those that may run: a final task waits for the others. */
  get waiting(): readonly WaitingTask[] {
    return this.list.flatMap(({ job, tasks, secrets }) =>
      tasks.filter(({ state }) => state === 'QUEUED').map((task) => ({ task, job, sealed: { secrets } })),
    );
  }

  answer(queuedJobIds: ReadonlySet<string>): void {
    for (const { arrival, answer } of this.expected) answer(queuedJobIds.has(arrival.job.jobId));
  }
}
