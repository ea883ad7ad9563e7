// Provider nodes on this machine: each agent is the shipped single file, in a folder of its own without node_modules.
import { spawn } from 'node:child_process';
import { copyFileSync, createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/command.mjs';

const BUNDLE = join(ROOT, 'services/agent/bundle/agent.js');
const STOP_MS = 20_000;

export class AgentProcess {
  constructor({ platform, name, token, inventory, region, bundle = BUNDLE, env = {} }) {
    this.name = name;
    this.folder = join(platform.runDir, 'agents', name);
    mkdirSync(this.folder, { recursive: true, mode: 0o711 });
    this.program = join(this.folder, 'agent.js');
    copyFileSync(bundle, this.program);
    copyFileSync(join(platform.tlsFolder, 'ca.pem'), join(this.folder, 'ca.pem'));
    writeFileSync(join(this.folder, 'inventory.json'), JSON.stringify(inventory));
    this.logFile = join(platform.runDir, 'logs', `agent-${name}.log`);
    this.env = {
      PATH: process.env.PATH,
      AGENT_FOLDER: join(this.folder, 'state'),
      ENROLMENT_URL: platform.enrolment,
      ENROLMENT_TOKEN: token,
      CA_FILE: join(this.folder, 'ca.pem'),
      INVENTORY_FILE: join(this.folder, 'inventory.json'),
      ALLOW_EMULATED_GPUS: 'true',
      REGION: region,
      TIMER_SCALE: String(platform.timerScale),
      LOG_LEVEL: 'info',
      ...env,
    };
  }

  get pid() {
    return this.child?.pid;
  }

  start() {
    const log = createWriteStream(this.logFile, { flags: 'a' });
    this.child = spawn(process.execPath, [this.program], {
      env: this.env,
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.child.stdout.pipe(log, { end: false });
    this.child.stderr.pipe(log, { end: false });
    this.child.unref();
    this.ended = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve(code ?? signal)));
  }

  async stop() {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.ended;
    clearTimeout(timer);
  }

  async kill(signal = 'SIGKILL') {
    this.child.kill(signal);
    await this.ended;
  }

  logTail() {
    return readFileSync(this.logFile, 'utf8').slice(-3_000);
  }
}
