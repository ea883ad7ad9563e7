import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { ArtifactLimits, Collection, MonotonicClock, RunExit, RunHandle, Alarms } from '../../application/ports';
import { exitReasonOf } from '../../domain/exit-reason';
import type { ExitReason, KillReason } from '../../domain/exit-reason';
import { collectArtifacts } from './collect';
import { lineReader, RUN_FILES, START_LIMIT_MS, toLine } from './keeper-protocol';
import type { AgentLine, KeeperEnd, KeeperLine, KeeperOrder } from './keeper-protocol';
import { LogFollower } from './log-follower';
import { killExactly } from './process-kill';

/** A keeper that has nothing left to do and does not go is stuck. */
const KEEPER_LEAVES_MS = 5_000;

/** What every run of a driver shares. */
export interface KeptRunParts {
  readonly clock: MonotonicClock;
  readonly alarms: Alarms;
  /** Program and first arguments that start a keeper. */
  readonly keeperCommand: readonly string[];
  readonly backupKillMs: number;
  /** Kills whatever the engine still knows of a container and removes its run folder. */
  readonly wipe: (containerId: string) => Promise<void>;
}

/** One container, seen through its keeper. When the keeper dies first, this kills the container and wipes it itself. */
export class KeptRun implements RunHandle {
  readonly started: Promise<number | null>;
  readonly exited: Promise<RunExit>;
  private readonly keeper: ChildProcess;
  private readonly keeperGone: Promise<void>;
  private readonly log: LogFollower;
  private container: { readonly pid: number; readonly startTicks: string } | null = null;
  private startedAtMs: number | null = null;
  private killedFor: KillReason | null = null;
  private disarmBackup: () => void;
  private settleStarted: (atMs: number | null) => void = () => undefined;
  private settleExited: (exit: RunExit) => void = () => undefined;
  private settled = false;

  constructor(
    private readonly order: KeeperOrder,
    private readonly parts: KeptRunParts,
  ) {
    this.started = new Promise((resolve) => (this.settleStarted = resolve));
    this.exited = new Promise((resolve) => (this.settleExited = resolve));
    this.log = new LogFollower(join(order.runFolder, RUN_FILES.log));
    const [program = '', ...args] = parts.keeperCommand;
    // Detached: a Ctrl-C at the agent's terminal is not for the keeper, which leaves by its pipe.
    this.keeper = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    this.keeper.stdin?.on('error', () => undefined);
    this.keeper.stdout?.on(
      'data',
      lineReader<KeeperLine>((line) => this.handle(line)),
    );
    this.keeperGone = new Promise((resolve) => {
      const gone = (): void => {
        resolve();
        void this.keeperLost();
      };
      this.keeper.once('error', gone);
      this.keeper.once('close', gone);
    });
    this.disarmBackup = parts.alarms.after(START_LIMIT_MS + parts.backupKillMs, () => this.killDirectly('DEADLINE'));
    this.tell({ type: 'order', order });
  }

  onLog(listen: (chunk: Uint8Array) => void): void {
    void this.started.then((atMs) => (atMs === null ? undefined : this.log.listen(listen)));
  }

  armFence(atMonotonicMs: number): void {
    this.tell({ type: 'fence', atMs: atMonotonicMs });
  }

  kill(reason: KillReason): void {
    this.killedFor ??= reason;
    this.tell({ type: 'kill', reason });
    // A stopped keeper would read that line too late; killing twice is harmless.
    if (this.container !== null) killExactly(this.container.pid, this.container.startTicks);
  }

  collect(outputPath: string, limits: ArtifactLimits): Promise<Collection> {
    return collectArtifacts(join(this.order.runFolder, RUN_FILES.scratch), outputPath, limits);
  }

  async dispose(): Promise<void> {
    await this.exited;
    this.log.finish();
    this.tell({ type: 'release' });
    this.keeper.stdin?.end();
    const disarm = this.parts.alarms.after(KEEPER_LEAVES_MS, () => this.keeper.kill('SIGKILL'));
    await this.keeperGone;
    disarm();
    await this.parts.wipe(this.order.containerId);
  }

  private handle(line: KeeperLine): void {
    if (line.type === 'started') {
      this.container = { pid: line.pid, startTicks: line.pidStartTicks };
      this.startedAtMs = line.atMs;
      this.disarmBackup();
      this.disarmBackup = this.parts.alarms.after(this.order.maxWallMs + this.parts.backupKillMs, () =>
        this.killDirectly('DEADLINE'),
      );
      this.settleStarted(line.atMs);
      return;
    }
    const { end } = line;
    const reason = exitReasonOf({ ...end, killedFor: end.killedFor ?? this.killedFor });
    this.settle({
      reason,
      exitCode: end.exitCode,
      oomKills: end.oomKills,
      cpuMs: end.cpuMs,
      scratchUsedBytes: end.scratchUsedBytes,
      logBytes: end.logBytes,
      logCut: end.logCut,
      startedAtMs: this.startedAtMs,
      endedAtMs: end.endedAtMs,
      message: describe(reason, end),
    });
  }

  /** Without an exit from the keeper nobody saw how the container ended, so it is stopped and called lost. */
  private async keeperLost(): Promise<void> {
    if (this.settled) return;
    this.killDirectly(null);
    const endedAtMs = this.parts.clock.nowMs();
    await this.parts.wipe(this.order.containerId).catch(() => undefined);
    const started = this.container !== null;
    const reason = exitReasonOf({
      started,
      commandFault: null,
      exitCode: null,
      killedFor: this.killedFor,
      oomKills: 0,
      scratchFull: false,
    });
    this.settle({
      reason,
      exitCode: null,
      oomKills: 0,
      cpuMs: 0,
      scratchUsedBytes: 0,
      logBytes: 0,
      logCut: false,
      startedAtMs: this.startedAtMs,
      endedAtMs,
      message: 'the keeper of the container was lost',
    });
  }

  /** Without a known container the keeper is what hangs; its end leads to the wiping of whatever it began. */
  private killDirectly(reason: KillReason | null): void {
    this.killedFor ??= reason;
    if (this.container === null) this.keeper.kill('SIGKILL');
    else killExactly(this.container.pid, this.container.startTicks);
  }

  private settle(exit: RunExit): void {
    if (this.settled) return;
    this.settled = true;
    this.disarmBackup();
    this.settleStarted(this.startedAtMs);
    // The last words must be out before the exit: whoever awaits it may close the log stream.
    void this.started.then(() => {
      this.log.finish();
      this.settleExited(exit);
    });
  }

  private tell(line: AgentLine): void {
    if (this.keeper.stdin?.writable === true) this.keeper.stdin.write(toLine(line));
  }
}

function describe(reason: ExitReason, end: KeeperEnd): string {
  const texts: Partial<Record<ExitReason, string>> = {
    EXITED:
      end.commandFault === null
        ? `the task exited with code ${end.exitCode}`
        : 'the command of the task does not exist in the image or may not be executed by its user',
    DEADLINE: 'the task reached its time limit and was killed',
    OOM: 'the task passed its memory limit and was killed',
    OOM_CHILD: `a process of the task passed the memory limit and was killed; the task exited with code ${end.exitCode}`,
    DISK_FULL: `the task filled its scratch space and exited with code ${end.exitCode}`,
    START_FAILED: 'the node could not start the task',
    CANCELLED: 'the task was cancelled',
    FENCED: 'the node lost its lease and stopped the task',
    NODE_LOST: 'the node lost sight of the task',
  };
  return texts[reason] ?? reason;
}
