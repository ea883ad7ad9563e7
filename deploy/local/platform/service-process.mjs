// One service as a process of its own: start, wait until it is ready, stop, kill, start again on the same ports.
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/command.mjs';

const READY_MS = 30_000;
const STOP_MS = 15_000;
const LOG_TAIL_CHARACTERS = 3_000;

export class ServiceProcess {
  constructor({ name, env, logFile }) {
    this.name = name;
    this.env = env;
    this.logFile = logFile;
    this.child = undefined;
  }

  get pid() {
    return this.child?.pid;
  }

  /** Starts the process and resolves when its readiness probe says yes. Rejects with the log's end when it does not. */
  async start() {
    const log = createWriteStream(this.logFile, { flags: 'a' });
    const child = spawn(process.execPath, ['--enable-source-maps', join(ROOT, 'services', this.name, 'dist/main.js')], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.unref();
    this.child = child;
    this.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
    await this.untilReady();
  }

  async untilReady() {
    const deadline = Date.now() + READY_MS;
    let end;
    void this.ended.then((code) => (end = code));
    while (Date.now() < deadline) {
      if (end !== undefined) throw new Error(`${this.name} ended with ${end} at start:\n${this.logTail()}`);
      if (await this.isReady()) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
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

  /** Asks the process to end, and ends it after a while if it does not. */
  async stop() {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.ended;
    clearTimeout(timer);
  }

  async kill(signal = 'SIGKILL') {
    this.child?.kill(signal);
    await this.ended;
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  logTail() {
    return readFileSync(this.logFile, 'utf8').slice(-LOG_TAIL_CHARACTERS);
  }
}
