import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentConfig } from '../../src/config';
import { loadConfig } from '../../src/config';
import { bundle } from './bundle';
import type { TestPlatform } from './test-platform';

export const INVENTORY = {
  gpus: [
    { gpuModelId: 'rtx-4090', vramMib: 24_564, uuid: 'GPU-A', serial: '' },
    { gpuModelId: 'rtx-4090', vramMib: 24_564, uuid: 'GPU-B', serial: '' },
  ],
  cpuMilli: 2_000,
  memoryMib: 4_096,
  scratchMib: 1_024,
  networkMbps: 100,
};

/** A folder for one agent: its bundle, its state, its declared inventory. */
export class AgentHome {
  readonly folder = mkdtempSync(join(tmpdir(), 'daya-home-'));
  readonly bundle = join(this.folder, 'agent.js');

  constructor(private readonly platform: TestPlatform) {
    chmodSync(this.folder, 0o711);
    bundle({ entryPoints: [join(__dirname, '../../src/main.ts')] }, this.bundle);
    writeFileSync(join(this.folder, 'inventory.json'), JSON.stringify(INVENTORY));
    writeFileSync(join(this.folder, 'ca.pem'), platform.authority.pem);
  }

  environment(changes: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      STATE_FOLDER: join(this.folder, 'state'),
      ENROLMENT_ADDRESS: `127.0.0.1:${this.platform.enrolmentPort}`,
      CA_CERTIFICATE_FILE: join(this.folder, 'ca.pem'),
      PLATFORM_SERVER_NAME: 'localhost',
      ENROLMENT_TOKEN: this.platform.token,
      INVENTORY_FILE: join(this.folder, 'inventory.json'),
      ALLOW_EMULATED_GPUS: 'true',
      TIMER_SCALE: '0.1',
      LOG_LEVEL: process.env['AGENT_TEST_LOG_LEVEL'] ?? 'silent',
      ...changes,
    };
  }

  config(changes: Readonly<Record<string, string>> = {}): AgentConfig {
    return loadConfig(this.environment(changes));
  }

  get keeperCommand(): readonly string[] {
    return [process.execPath, this.bundle, 'keeper'];
  }

  /** Processes in a container of this node. */
  containerProcesses(): readonly string[] {
    return readdirSync('/proc').filter(
      (name) => /^\d+$/.test(name) && readQuietly(`/proc/${name}/cgroup`).includes(this.platform.nodeId),
    );
  }

  mounts(): readonly string[] {
    return readQuietly('/proc/self/mountinfo')
      .split('\n')
      .filter((line) => line.includes(this.folder));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits until `found` answers something, at most `limitMs`. */
export async function until<T>(found: () => T | undefined | false, limitMs = 20_000): Promise<T> {
  for (const endMs = Date.now() + limitMs; Date.now() < endMs;) {
    const value = found();
    if (value !== undefined && value !== false) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('what the test waits for has not happened');
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
