import { DomainError, refuseInvalid, type Clock } from '@daya/kernel';
import { LOG_CHUNK_BYTES_MAX } from '../domain/limits';
import { brokenRules, countRule, uuidRule } from '../domain/shapes';
import type { Slots } from '../domain/slots';
import type { OnBehalfOf, RunLogs, Scheduler, TaskRun } from './ports';

export interface FollowedLog {
  readonly jobId: string;
  readonly taskIndex: number;
  /** 0: the newest run. */
  readonly runNumber: number;
  readonly offsetBytes: number;
}

export interface LogPiece {
  readonly runNumber: number;
  /** Of the first byte of `data`. */
  readonly offsetBytes: number;
  readonly data: Uint8Array;
  readonly cut: boolean;
}

/** How long one wait for news of a log takes; also finds what another replica wrote. */
const WAIT_MS = 1_000;
/** How often the scheduler is asked whether the run is over. */
const ASK_MS = 3_000;
/** A run that is over gets this long for its last chunks. */
const LATE_CHUNKS_MS = 2_000;
/** A stream's caller is checked when it opens; their token is good for a minute only, the stream for longer. */
const AS_DISPATCH: OnBehalfOf = { callerToken: undefined };

/** The log of a run, live. Who may read the job may read its log: the scheduler is asked on behalf of the caller. */
export class FollowLog {
  constructor(
    private readonly scheduler: Scheduler,
    private readonly logs: RunLogs,
    private readonly slots: Slots,
    private readonly clock: Clock,
  ) {}

  /** Ends when the run has ended and its log is told. Throws `not-found` JOB_NOT_FOUND, TASK_NOT_FOUND, RUN_NOT_FOUND. */
  async *execute(
    wanted: FollowedLog,
    behalf: OnBehalfOf,
    signal: AbortSignal,
  ): AsyncGenerator<LogPiece, void, undefined> {
    refuseMalformed(wanted);
    const release = this.slots.take(wanted.jobId);
    try {
      const run = await this.runOf(wanted, behalf, signal);
      if (run !== undefined) yield* this.tell(run, wanted, signal);
    } finally {
      release();
    }
  }

  /** Waits for a task's first run; undefined when the caller left before. */
  private async runOf(wanted: FollowedLog, behalf: OnBehalfOf, signal: AbortSignal): Promise<TaskRun | undefined> {
    let asWhom = behalf;
    while (!signal.aborted) {
      const runs = await this.scheduler.runsOf(wanted.jobId, wanted.taskIndex, asWhom);
      asWhom = AS_DISPATCH;
      if (runs === undefined) throw new DomainError('not-found', 'TASK_NOT_FOUND', 'the job has no such task');
      const run = wanted.runNumber === 0 ? runs.at(-1) : runs.find(({ runNumber }) => runNumber === wanted.runNumber);
      if (run !== undefined) return run;
      if (wanted.runNumber !== 0) throw new DomainError('not-found', 'RUN_NOT_FOUND', 'the task has no such run');
      await this.logs.changed('', signal, WAIT_MS);
    }
    return undefined;
  }

  private async *tell(
    run: TaskRun,
    wanted: FollowedLog,
    signal: AbortSignal,
  ): AsyncGenerator<LogPiece, void, undefined> {
    const { leaseId, runNumber } = run;
    const life = new RunLife(run, this.nowMs());
    let { offsetBytes } = wanted;
    while (!signal.aborted) {
      const isOver = life.isOver(this.nowMs());
      const log = await this.logs.state(leaseId);
      while (offsetBytes < log.storedBytes && !signal.aborted) {
        const data = await this.logs.read(leaseId, offsetBytes, LOG_CHUNK_BYTES_MAX);
        if (data.length === 0) break;
        yield { runNumber, offsetBytes, data, cut: false };
        offsetBytes += data.length;
      }
      if (log.ended || isOver) {
        if (log.cut) yield { runNumber, offsetBytes, data: new Uint8Array(), cut: true };
        return;
      }
      await this.logs.changed(leaseId, signal, WAIT_MS);
      if (life.mustAsk(this.nowMs())) {
        const runs = await this.scheduler.runsOf(wanted.jobId, wanted.taskIndex, AS_DISPATCH);
        life.learn(
          runs?.find((one) => one.leaseId === leaseId),
          this.nowMs(),
        );
      }
    }
  }

  private nowMs(): number {
    return this.clock.now().getTime();
  }
}

/** When a run was last asked about, and since when it is known to be over. */
class RunLife {
  private askedMs: number;
  private overSinceMs: number | undefined;

  constructor(run: TaskRun, nowMs: number) {
    this.askedMs = nowMs;
    this.learn(run, nowMs);
  }

  learn(run: TaskRun | undefined, nowMs: number): void {
    this.askedMs = nowMs;
    if (run?.over !== false) this.overSinceMs ??= nowMs;
  }

  mustAsk(nowMs: number): boolean {
    return this.overSinceMs === undefined && nowMs - this.askedMs >= ASK_MS;
  }

  isOver(nowMs: number): boolean {
    return this.overSinceMs !== undefined && nowMs - this.overSinceMs >= LATE_CHUNKS_MS;
  }
}

function refuseMalformed({ jobId, taskIndex, runNumber, offsetBytes }: FollowedLog): void {
  const counts = [
    countRule('task_index', taskIndex),
    countRule('run_number', runNumber),
    countRule('offset_bytes', offsetBytes),
  ];
  refuseInvalid(brokenRules([uuidRule('job_id', jobId), ...counts]));
}
