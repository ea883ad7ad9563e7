import { join } from 'node:path';
import type { KillReason } from '../../domain/exit-reason';
import { ProcessAlarms, ProcessClock } from '../files/monotonic-clock';
import type { Engine, EngineListener } from './engine';
import { lineReader, RUN_FILES, START_LIMIT_MS, toLine } from './keeper-protocol';
import type { AgentLine, KeeperEnd, KeeperLine, KeeperOrder } from './keeper-protocol';
import { LastWatch } from './last-watch';
import { LogFile } from './log-file';
import { killExactly, startTicksOf } from './process-kill';
import { readSpace, removeRunFolder } from './run-folder';

/** Makes the engine of an order. */
export type MakeEngine = (order: KeeperOrder, log: LogFile) => Engine;

/**
 * Watches over one container in a process of its own, so that neither a busy nor a dead agent lets it live on: it
 * kills at the wall-time limit, at the fence, when told to, and when the agent's pipe closes. It stays until the
 * agent has taken the artifacts (`release`), then wipes the run's folder and goes.
 */
export function runKeeper(makeEngine: MakeEngine): void {
  let keeper: Keeper | undefined;
  const read = lineReader<AgentLine>((line) => {
    if (line.type !== 'order') return keeper?.handle(line);
    keeper = new Keeper(line.order, makeEngine);
    keeper.start();
  });
  // The agent is stopped by signals to the whole terminal or service; the keeper leaves by its pipe only.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  const abandoned = (): void => (keeper === undefined ? process.exit(0) : keeper.abandon());
  process.stdout.on('error', () => undefined);
  process.stdin.on('data', read);
  process.stdin.once('end', abandoned);
  process.stdin.once('error', abandoned);
}

class Keeper implements EngineListener {
  private readonly clock = new ProcessClock();
  private readonly alarms = new ProcessAlarms();
  private readonly log: LogFile;
  private readonly engine: Engine;
  private readonly lastWatch: LastWatch;
  private container: { readonly pid: number; readonly startTicks: string } | null = null;
  private killedFor: KillReason | null = null;
  private ended = false;
  private reported = false;
  private released = false;
  private disarmFence: () => void = () => undefined;
  private disarmDeadline: () => void = () => undefined;

  constructor(
    private readonly order: KeeperOrder,
    makeEngine: MakeEngine,
  ) {
    this.log = new LogFile(join(order.runFolder, RUN_FILES.log), order.logLimitBytes);
    this.engine = makeEngine(order, this.log);
    this.lastWatch = new LastWatch(join(order.runFolder, RUN_FILES.pid), join(order.runFolder, RUN_FILES.space));
  }

  start(): void {
    this.disarmDeadline = this.alarms.after(START_LIMIT_MS, () => this.kill('DEADLINE'));
    this.engine.start(this);
  }

  handle(line: AgentLine): void {
    if (line.type === 'kill') this.kill(line.reason);
    else if (line.type === 'fence') this.armFence(line.atMs);
    else if (line.type === 'release') this.leave();
  }

  /** The agent is gone: nobody will renew the lease or collect the result. */
  abandon(): void {
    this.kill('FENCED');
    this.leave();
  }

  started(pid: number): void {
    const startTicks = startTicksOf(pid) ?? '';
    this.container = { pid, startTicks };
    this.disarmDeadline();
    this.disarmDeadline = this.alarms.after(this.order.maxWallMs, () => this.kill('DEADLINE'));
    // Docker says 0 for a task that has ended already; `kill` would take that for a whole group.
    if (pid > 0) this.lastWatch.started(pid);
    this.send({ type: 'started', pid, pidStartTicks: startTicks, atMs: this.clock.nowMs() });
    // A kill that came while the engine was still starting hit nothing but the engine.
    if (this.killedFor !== null) killExactly(pid, startTicks);
  }

  exited(exitCode: number | null): void {
    if (this.ended) return;
    this.ended = true;
    const endedAtMs = this.clock.nowMs();
    this.lastWatch.ended(this.container !== null && this.container.pid > 0);
    this.disarmFence();
    this.disarmDeadline();
    if (this.container !== null) killExactly(this.container.pid, this.container.startTicks);
    void this.report(exitCode, endedAtMs);
  }

  private armFence(atMs: number): void {
    this.disarmFence();
    if (!this.ended) this.disarmFence = this.alarms.after(atMs - this.clock.nowMs(), () => this.kill('FENCED'));
  }

  private kill(reason: KillReason): void {
    if (this.ended) return;
    this.killedFor ??= reason;
    if (this.container === null) this.engine.abort();
    else killExactly(this.container.pid, this.container.startTicks);
  }

  private async report(exitCode: number | null, endedAtMs: number): Promise<void> {
    const { oomKills, cpuMs } = await this.engine.counters();
    await this.engine.remove();
    const started = this.container !== null;
    const commandFault = started ? null : this.engine.commandFault();
    if (!started) this.log.forget();
    this.log.close();
    const space = readSpace(this.order.runFolder);
    const end: KeeperEnd = {
      started,
      commandFault,
      exitCode: commandFault ?? exitCode,
      killedFor: this.killedFor,
      oomKills,
      cpuMs,
      endedAtMs,
      scratchFull: space.full,
      scratchUsedBytes: space.usedBytes,
      logBytes: this.log.keptBytes,
      logCut: this.log.cut,
    };
    this.send({ type: 'exited', end });
    this.reported = true;
    if (this.released) this.leave();
  }

  private leave(): void {
    this.released = true;
    if (!this.reported) return;
    try {
      removeRunFolder(this.order.runFolder);
      process.exit(0);
    } catch {
      process.exit(1);
    }
  }

  /** Two lines in all: a paused agent that reads nothing can therefore never block the keeper. */
  private send(line: KeeperLine): void {
    process.stdout.write(toLine(line));
  }
}
