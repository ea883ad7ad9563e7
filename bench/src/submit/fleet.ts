import { fork, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import type { FleetOrder, FleetReport } from './fleet-messages';
import { wallMs } from './wall-clock';

/** An offer that has reached an agent. */
export interface SeenOffer {
  readonly jobId: string;
  readonly taskIndex: number;
  readonly atMs: number;
}

/** The processes of agents, seen as one. */
export class Fleet {
  readonly offers: SeenOffer[] = [];
  settled = 0;
  readonly disturbances = new Map<string, number>();
  private readonly children: ChildProcess[] = [];
  private readonly enrolled = new Map<string, number>();
  private failure: Error | undefined;

  /** Starts one process of agents. Its log goes to `logFile`. */
  start(order: FleetOrder, logFile: string): void {
    const log = openSync(logFile, 'a');
    const child = fork(join(__dirname, 'fleet-main.js'), { execArgv: [], stdio: ['ignore', log, log, 'ipc'] });
    child.on('message', (message) => this.receive(order.name, message as FleetReport));
    child.on('exit', (code, signal) => {
      if (signal !== 'SIGKILL')
        this.failure = new Error(`a process of agents ended with ${code ?? signal}: ${logFile}`);
    });
    child.send(order);
    this.children.push(child);
  }

  get enrolledCount(): number {
    return [...this.enrolled.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Waits until `holds`, at most `timeoutMs`. Throws when agents have died or time is up. */
  async until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
    const endMs = wallMs() + timeoutMs;
    while (!(await holds())) {
      if (this.failure !== undefined) throw this.failure;
      if (wallMs() > endMs) throw new Error(`${what}: not within ${timeoutMs / 1_000} s; ${this.troubles()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What disturbed the agents so far, in words. */
  troubles(): string {
    const list = [...this.disturbances].map(([what, count]) => `${count} × ${what}`);
    return list.length === 0 ? 'no agent was disturbed' : list.join(', ');
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }),
    );
  }

  private receive(name: string, { enrolled, offers, settled, disturbances }: FleetReport): void {
    this.enrolled.set(name, enrolled);
    this.settled += settled;
    for (const [jobId, taskIndex, atMs] of offers) this.offers.push({ jobId, taskIndex, atMs });
    for (const [what, count] of Object.entries(disturbances))
      this.disturbances.set(what, (this.disturbances.get(what) ?? 0) + count);
  }
}
