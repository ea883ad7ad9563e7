import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, truncateSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { KillReason } from '../../domain/exit-reason';
import { ProcessClock, ProcessAlarms } from '../files/monotonic-clock';
import { cgroupPathsOf, readCgroup } from './cgroup';
import { lineReader, RUN_FILES, toLine } from './keeper-protocol';
import type { AgentLine, KeeperEnd, KeeperLine, KeeperOrder } from './keeper-protocol';
import { LogDrain } from './log-drain';
import { killExactly, startTicksOf } from './process-kill';
import { readSpace, removeRunFolder } from './run-folder';

const PID_POLL_MS = 25;
const LOG_END_GRACE_MS = 1_000;
const RUNC_DELETE_TIMEOUT_MS = 10_000;

/**
 * Watches over one container in a process of its own, so that neither a busy nor a dead agent lets it live on: it
 * kills at the wall-time limit, at the fence, when told to, and when the agent's pipe closes. It stays until the
 * agent has taken the artifacts (`release`), then wipes the run's folder and goes.
 */
export function runKeeper(): void {
  let keeper: Keeper | undefined;
  const read = lineReader<AgentLine>((line) => {
    if (line.type === 'order') keeper = new Keeper(line.order);
    else keeper?.handle(line);
  });
  // The agent is stopped by signals to the whole terminal or service; the keeper leaves by its pipe only.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.stdout.on('error', () => undefined);
  process.stdin.on('data', read);
  process.stdin.once('end', () => (keeper === undefined ? process.exit(0) : keeper.abandon()));
  process.stdin.once('error', () => (keeper === undefined ? process.exit(0) : keeper.abandon()));
}

class Keeper {
  private readonly clock = new ProcessClock();
  private readonly alarms = new ProcessAlarms();
  private readonly drain: LogDrain;
  private readonly runc: ChildProcess;
  private container: { readonly pid: number; readonly startTicks: string } | null = null;
  private killedFor: KillReason | null = null;
  private ended = false;
  private released = false;
  private disarmFence: () => void = () => undefined;
  private disarmDeadline: () => void = () => undefined;
  private stopWatching: () => void = () => undefined;

  constructor(private readonly order: KeeperOrder) {
    const inFolder = (name: string): string => join(order.runFolder, name);
    this.drain = new LogDrain(inFolder(RUN_FILES.logPipe), inFolder(RUN_FILES.log), order.logLimitBytes);
    const args = [...this.runcOptions(), 'run', '--keep', '--pid-file', inFolder(RUN_FILES.pid), '--bundle', order.runFolder, order.containerId];
    this.runc = spawn('runc', args, { stdio: ['ignore', this.drain.writerFd, this.drain.writerFd] });
    this.drain.closeWriter();
    this.disarmDeadline = this.alarms.after(order.maxWallMs, () => this.kill('DEADLINE'));
    this.watchForPid();
    this.runc.once('error', () => void this.finish(null));
    this.runc.once('exit', (code, signal) => void this.finish(signal === null ? code : null));
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

  private armFence(atMs: number): void {
    this.disarmFence();
    if (!this.ended) this.disarmFence = this.alarms.after(atMs - this.clock.nowMs(), () => this.kill('FENCED'));
  }

  private kill(reason: KillReason): void {
    if (this.ended) return;
    this.killedFor ??= reason;
    this.notePid();
    if (this.container === null) this.runc.kill('SIGKILL');
    else killExactly(this.container.pid, this.container.startTicks);
  }

  private watchForPid(): void {
    const look = (): void => {
      if (this.notePid()) this.stopWatching();
    };
    const watcher = watch(this.order.runFolder, look);
    const poll = setInterval(look, PID_POLL_MS);
    this.stopWatching = () => {
      watcher.close();
      clearInterval(poll);
    };
  }

  /** True when the container is known; reports it the first time. */
  private notePid(): boolean {
    if (this.container !== null) return true;
    const path = join(this.order.runFolder, RUN_FILES.pid);
    if (!existsSync(path)) return false;
    const pid = Number(readFileSync(path, 'utf8'));
    const startTicks = startTicksOf(pid) ?? '';
    this.container = { pid, startTicks };
    this.send({ type: 'started', pid, pidStartTicks: startTicks, atMs: this.clock.nowMs() });
    // A kill that came between runc's start and its pid file hit runc alone.
    if (this.killedFor !== null) killExactly(pid, startTicks);
    return true;
  }

  private async finish(exitCode: number | null): Promise<void> {
    if (this.ended) return;
    this.notePid();
    this.stopWatching();
    this.ended = true;
    const endedAtMs = this.clock.nowMs();
    this.disarmFence();
    this.disarmDeadline();
    if (this.container !== null) killExactly(this.container.pid, this.container.startTicks);
    const stopDrain = setTimeout(() => this.drain.stop(), LOG_END_GRACE_MS);
    const { oomKills, cpuMs } = readCgroup(cgroupPathsOf(this.order.runcRoot, this.order.containerId) ?? {});
    this.deleteContainer();
    await this.drain.ended;
    clearTimeout(stopDrain);
    const started = this.container !== null;
    if (!started) this.forgetLog();
    const space = readSpace(this.order.runFolder);
    const end: KeeperEnd = {
      started, exitCode, killedFor: this.killedFor, oomKills, cpuMs, endedAtMs,
      scratchFull: space.full, scratchUsedBytes: space.usedBytes,
      logBytes: this.drain.keptBytes, logCut: this.drain.cut,
    };
    this.send({ type: 'exited', end });
    if (this.released) this.leave();
  }

  private leave(): void {
    this.released = true;
    if (!this.ended) return;
    try {
      removeRunFolder(this.order.runFolder);
      process.exit(0);
    } catch {
      process.exit(1);
    }
  }

  /** What runc itself said about a container that never ran is not the customer's log. */
  private forgetLog(): void {
    truncateSync(join(this.order.runFolder, RUN_FILES.log));
    this.drain.keptBytes = 0;
  }

  private deleteContainer(): void {
    spawnSync('runc', [...this.runcOptions(), 'delete', '-f', this.order.containerId], { timeout: RUNC_DELETE_TIMEOUT_MS });
  }

  private runcOptions(): readonly string[] {
    return ['--root', this.order.runcRoot, '--log', join(this.order.runFolder, RUN_FILES.runtimeLog)];
  }

  /** Two lines in all: a paused agent that reads nothing can therefore never block the keeper. */
  private send(line: KeeperLine): void {
    process.stdout.write(toLine(line));
  }
}
