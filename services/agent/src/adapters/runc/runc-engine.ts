import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../files/run-command';
import { cgroupPathsOf, readCgroup } from '../keeper/cgroup';
import type { CgroupReading } from '../keeper/cgroup';
import { commandFaultOf } from '../keeper/command-fault';
import type { Engine, EngineListener } from '../keeper/engine';
import { RUN_FILES } from '../keeper/keeper-protocol';
import type { LogFile } from '../keeper/log-file';
import { FifoDrain } from './fifo-drain';

const PID_POLL_MS = 25;
const LOG_END_GRACE_MS = 1_000;
const DELETE_TIMEOUT_MS = 10_000;

/** A container as a child process: runc stays in the foreground, so its exit code is the container's, and keeps the cgroup for us to read. */
export class RuncEngine implements Engine {
  private readonly drain: FifoDrain;
  private runc: ChildProcess | null = null;
  private stopWatching: () => void = () => undefined;
  private startSeen = false;

  constructor(
    private readonly runcRoot: string,
    private readonly containerId: string,
    private readonly runFolder: string,
    log: LogFile,
  ) {
    this.drain = new FifoDrain(join(runFolder, RUN_FILES.logPipe), (chunk) => log.keep(chunk));
  }

  start(listener: EngineListener): void {
    const args = [
      ...this.options(),
      'run',
      '--keep',
      '--pid-file',
      join(this.runFolder, RUN_FILES.pid),
      '--bundle',
      this.runFolder,
      this.containerId,
    ];
    const runc = spawn('runc', args, { stdio: ['ignore', this.drain.writerFd, this.drain.writerFd] });
    this.runc = runc;
    this.drain.closeWriter();
    this.watchForPid(listener);
    const ended = (exitCode: number | null): void => {
      // A short task may end before its pid file was noticed.
      this.lookForPid(listener);
      this.stopWatching();
      listener.exited(exitCode);
    };
    runc.once('error', () => ended(null));
    runc.once('exit', (code, signal) => ended(signal === null ? code : null));
  }

  abort(): void {
    this.runc?.kill('SIGKILL');
  }

  commandFault(): 126 | 127 | null {
    const path = join(this.runFolder, RUN_FILES.runtimeLog);
    return existsSync(path) ? commandFaultOf(readFileSync(path, 'utf8')) : null;
  }

  counters(): Promise<CgroupReading> {
    return Promise.resolve(readCgroup(cgroupPathsOf(this.runcRoot, this.containerId) ?? {}));
  }

  async remove(): Promise<void> {
    await runCommand('runc', [...this.options(), 'delete', '-f', this.containerId], DELETE_TIMEOUT_MS).catch(
      () => undefined,
    );
    const stop = setTimeout(() => this.drain.stop(), LOG_END_GRACE_MS);
    await this.drain.ended;
    clearTimeout(stop);
  }

  /** runc writes the pid file after the process runs, in one rename. */
  private watchForPid(listener: EngineListener): void {
    const look = (): void => this.lookForPid(listener);
    const watcher = watch(this.runFolder, look);
    const poll = setInterval(look, PID_POLL_MS);
    this.stopWatching = () => {
      watcher.close();
      clearInterval(poll);
    };
  }

  private lookForPid(listener: EngineListener): void {
    const path = join(this.runFolder, RUN_FILES.pid);
    if (this.startSeen || !existsSync(path)) return;
    this.startSeen = true;
    this.stopWatching();
    listener.started(Number(readFileSync(path, 'utf8')));
  }

  private options(): readonly string[] {
    return ['--root', this.runcRoot, '--log', join(this.runFolder, RUN_FILES.runtimeLog)];
  }
}
