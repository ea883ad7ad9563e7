import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunExit, RunHandle, RunSpec } from '../../src/application/ports';
import { IMAGE_LIMITS } from '../../src/domain/oci-manifest';
import { ProcessClock, ProcessAlarms } from '../../src/adapters/files/monotonic-clock';
import { ImageStore } from '../../src/adapters/runc/image-store';
import { RuncDriver } from '../../src/adapters/runc/runc-driver';
import { bundle } from './bundle';
import { MemoryBlobs } from './oci-image';
import { LIMITS } from './sandbox-limits';

/** A real runc driver in a folder of its own, with the keeper bundled as the shipped agent has it. */
export class Sandbox {
  readonly folder: string;
  readonly blobs = new MemoryBlobs();
  readonly clock = new ProcessClock();
  readonly driver: RuncDriver;
  readonly nodeName = `test-${randomUUID().slice(0, 8)}`;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'daya-agent-'));
    chmodSync(this.folder, 0o711);
    this.bundle('agent.js', "require('../../src/start-keeper').startKeeper(process.argv[2])");
    this.driver = this.newDriver();
  }

  /** Bundles a line of code that requires our sources (paths relative to this folder); returns the file. */
  bundle(name: string, contents: string): string {
    const outfile = join(this.folder, name);
    bundle({ stdin: { contents, resolveDir: __dirname } }, outfile);
    return outfile;
  }

  /** A second life of the same agent over the same folder. */
  newDriver(): RuncDriver {
    const settings = {
      folder: join(this.folder, 'sandbox'),
      nodeName: this.nodeName,
      keeperCommand: [process.execPath, join(this.folder, 'agent.js')],
      backupKillMs: 2_000,
    };
    return new RuncDriver(
      settings,
      new ImageStore(join(this.folder, 'images'), IMAGE_LIMITS),
      this.clock,
      new ProcessAlarms(),
    );
  }

  async start(digest: string, command: readonly string[], changes: Partial<RunSpec> = {}): Promise<RunHandle> {
    const image = await this.driver.prepareImage(digest, this.blobs);
    const spec = {
      runId: randomUUID(),
      image,
      command,
      env: {},
      limits: LIMITS,
      network: false,
      inputs: [],
      gpuUuids: [],
      ...changes,
    };
    return this.driver.start(spec, this.blobs);
  }

  /** Starts, waits for the end, wipes. */
  async run(
    digest: string,
    command: readonly string[],
    changes: Partial<RunSpec> = {},
  ): Promise<{ exit: RunExit; log: string }> {
    const handle = await this.start(digest, command, changes);
    const log = collectLog(handle);
    const exit = await handle.exited;
    await handle.dispose();
    return { exit, log: log() };
  }

  /** Processes on this machine whose cgroup belongs to this sandbox. */
  processesLeft(): readonly string[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => readQuietly(`/proc/${pid}/cgroup`).includes(this.nodeName));
  }

  mountsLeft(): readonly string[] {
    return readQuietly('/proc/self/mountinfo')
      .split('\n')
      .filter((line) => line.includes(this.folder));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function collectLog(handle: RunHandle): () => string {
  const chunks: Uint8Array[] = [];
  handle.onLog((chunk) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
