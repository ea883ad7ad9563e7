import { fork, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerMessage } from './subject';

/** A server in a process of its own, whose CPU time can be read. */
export class MeasuredServer {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  /** Starts `<file>.js` of this folder with exactly `env`; its log goes to `logFile`. Rejects when it ends before it serves. */
  static async start(file: string, env: Record<string, string>, logFile: string): Promise<MeasuredServer> {
    const log = openSync(logFile, 'a');
    const child = fork(join(__dirname, `${file}.js`), { env, execArgv: [], stdio: ['ignore', log, log, 'ipc'] });
    const message = await next(child);
    if (!('port' in message)) throw new Error(`${file} named no port`);
    return new MeasuredServer(message.port, child);
  }

  /** User and system time of the server's process since its start, in microseconds. */
  async cpuMicros(): Promise<number> {
    const answer = next(this.child);
    this.child.send('cpu');
    const message = await answer;
    if (!('cpuMicros' in message)) throw new Error('the server did not tell its CPU time');
    return message.cpuMicros;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }
}

const next = (child: ChildProcess): Promise<ServerMessage> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`a measured server ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message as ServerMessage);
    });
  });
