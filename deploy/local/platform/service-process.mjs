// One process of the platform: start, wait until it is ready, stop, kill, start again on the same ports. It may have been
// started by another command: then only its pid is known, and its command line tells that the pid is still its own.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/command.mjs';

const READY_MS = 30_000;
const STOP_MS = 15_000;
const KILL_MS = 10_000;
const POLL_MS = 25;
const LOG_TAIL_CHARACTERS = 3_000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class ManagedProcess {
  /** `program` is the script's path; it stands in the command line. */
  constructor({ name, program, env, logFile, cwd, pid, onStart = () => undefined }) {
    Object.assign(this, { name, program, env, logFile, cwd, pid, onStart });
  }

  launch() {
    const log = openSync(this.logFile, 'a');
    const child = spawn(process.execPath, ['--enable-source-maps', this.program], {
      env: this.env,
      cwd: this.cwd,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    child.unref();
    this.pid = child.pid;
    this.onStart(this);
  }

  isAlive() {
    try {
      const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
      const isZombie = stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
      return !isZombie && readFileSync(`/proc/${this.pid}/cmdline`, 'utf8').includes(this.program);
    } catch {
      return false;
    }
  }

  /** Asks the process to end, and ends it after a while if it does not. */
  async stop() {
    if (!this.isAlive()) return;
    process.kill(this.pid, 'SIGTERM');
    if (!(await this.untilGone(STOP_MS))) await this.kill();
  }

  async kill(signal = 'SIGKILL') {
    if (!this.isAlive()) return;
    process.kill(this.pid, signal);
    if (!(await this.untilGone(KILL_MS))) throw new Error(`${this.name} (pid ${this.pid}) outlived ${signal}`);
  }

  async untilGone(patienceMs) {
    const deadline = Date.now() + patienceMs;
    while (this.isAlive() && Date.now() < deadline) await sleep(POLL_MS);
    return !this.isAlive();
  }

  logTail() {
    return readFileSync(this.logFile, 'utf8').slice(-LOG_TAIL_CHARACTERS);
  }
}

export class ServiceProcess extends ManagedProcess {
  constructor({ name, env, logFile, pid, onStart }) {
    super({ name, program: join(ROOT, 'services', name, 'dist/main.js'), env, logFile, pid, onStart });
  }

  /** Starts the process and resolves when its readiness probe says yes. Rejects with the log's end when it does not. */
  async start() {
    this.launch();
    const deadline = Date.now() + READY_MS;
    while (Date.now() < deadline) {
      if (!this.isAlive()) throw new Error(`${this.name} ended at start:\n${this.logTail()}`);
      if (await this.isReady()) return;
      await sleep(POLL_MS);
    }
    throw new Error(`${this.name} was not ready within ${READY_MS / 1000} s:\n${this.logTail()}`);
  }

  async isReady() {
    const url = `http://127.0.0.1:${this.env.ADMIN_PORT}/readyz`;
    return fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
      (reply) => reply.ok,
      () => false,
    );
  }

  async restart() {
    await this.stop();
    await this.start();
  }
}
