import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ContainerDriver, RunUnsupported } from '../../application/ports';
import type { BlobSource, MonotonicClock, PreparedImage, RunHandle, RunSpec, Alarms } from '../../application/ports';
import { runCommand } from '../files/run-command';
import type { ImageStore } from './image-store';
import { cgroupPathsOf, processesIn } from '../keeper/cgroup';
import { layOutInputs } from '../keeper/inputs';
import { RUN_FILES } from '../keeper/keeper-protocol';
import { makeRunFolder, removeRunFolder, writeConfig } from '../keeper/run-folder';
import { KeptRun } from '../keeper/kept-run';
import { HOST_TASK_UID, runtimeSpec } from './runtime-spec';

const RUNC_TIMEOUT_MS = 20_000;
const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const WIPE_TRIES = 50;
const WIPE_PAUSE_MS = 100;
const DEFAULT_ENV = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/scratch'];

export interface RuncSettings {
  /** Every folder above it must be passable for others (o+x), because the sandbox's user namespace walks it. */
  readonly folder: string;
  /** Tells the containers of several agents of one machine apart. */
  readonly nodeName: string;
  readonly keeperCommand: readonly string[];
  readonly backupKillMs: number;
}

/** Containers by runc, each in its own user namespace without capabilities, network or writable root. */
export class RuncDriver extends ContainerDriver {
  readonly name = 'runc';
  readonly hasNetwork = false;
  private readonly runsFolder: string;
  private readonly runcRoot: string;

  constructor(
    private readonly settings: RuncSettings,
    private readonly images: ImageStore,
    private readonly clock: MonotonicClock,
    private readonly alarms: Alarms,
  ) {
    super();
    this.runsFolder = join(settings.folder, 'runs');
    this.runcRoot = join(settings.folder, 'runc');
    for (const folder of [settings.folder, this.runsFolder, this.runcRoot]) {
      mkdirSync(folder, { recursive: true, mode: 0o711 });
      chmodSync(folder, 0o711);
    }
  }

  prepareImage(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    return this.images.prepare(digest, blobs);
  }

  async start(spec: RunSpec, blobs: BlobSource): Promise<RunHandle> {
    if (spec.network) throw new RunUnsupported('NETWORK_UNAVAILABLE', 'this node cannot give a task network');
    if (spec.gpuUuids.length > 0)
      throw new RunUnsupported('GPU_PASSTHROUGH_UNAVAILABLE', 'the runc driver cannot pass a GPU to a task');
    if (!RUN_ID.test(spec.runId)) throw new Error('a run id is not fit to be a folder name');
    const runFolder = join(this.runsFolder, spec.runId);
    if (existsSync(runFolder)) throw new Error(`run ${spec.runId} is already here`);
    try {
      makeRunFolder(runFolder, spec.limits, HOST_TASK_UID);
      await layOutInputs(join(runFolder, RUN_FILES.inputs), spec.inputs, spec.limits.inputBytes, blobs);
      writeConfig(runFolder, this.specOf(spec, runFolder));
    } catch (error) {
      removeRunFolder(runFolder);
      throw error;
    }
    const order = {
      engine: { type: 'runc' as const, root: this.runcRoot },
      containerId: spec.runId,
      runFolder,
      logLimitBytes: spec.limits.logBytes,
      maxWallMs: spec.limits.maxWallMs,
    };
    const { keeperCommand, backupKillMs } = this.settings;
    return new KeptRun(order, {
      clock: this.clock,
      alarms: this.alarms,
      keeperCommand: [...keeperCommand, 'runc'],
      backupKillMs,
      wipe: (id) => this.wipe(id),
    });
  }

  async sweep(): Promise<readonly string[]> {
    const found = new Set([...readdirSync(this.runcRoot), ...readdirSync(this.runsFolder)]);
    for (const containerId of found) await this.wipe(containerId);
    return [...found];
  }

  /** Until nothing is left: runc's deletion can come too early for a process that the kernel is still taking apart. */
  private async wipe(containerId: string): Promise<void> {
    for (let tries = 0; tries < WIPE_TRIES; tries += 1) {
      const paths = cgroupPathsOf(this.runcRoot, containerId);
      if (paths !== null || existsSync(join(this.runcRoot, containerId))) {
        await runCommand('runc', ['--root', this.runcRoot, 'delete', '-f', containerId], RUNC_TIMEOUT_MS).catch(
          () => undefined,
        );
      }
      if (!existsSync(join(this.runcRoot, containerId)) && processesIn(paths ?? {}).length === 0) {
        removeRunFolder(join(this.runsFolder, containerId));
        return;
      }
      await new Promise<void>((resolve) => this.alarms.after(WIPE_PAUSE_MS, resolve));
    }
    throw new Error(`container ${containerId} cannot be removed`);
  }

  private specOf(spec: RunSpec, runFolder: string): object {
    return runtimeSpec(
      {
        rootfs: spec.image.location,
        // One level, so that runc's own deletion leaves nothing behind.
        cgroupPath: `/daya-${this.settings.nodeName}-${spec.runId}`,
        args: spec.command.length > 0 ? spec.command : spec.image.command,
        env: mergeEnv([...DEFAULT_ENV, ...spec.image.env], spec.env),
        limits: spec.limits,
        scratchFolder: join(runFolder, RUN_FILES.scratch),
        tmpFolder: join(runFolder, RUN_FILES.tmp),
        inputsFolder: join(runFolder, RUN_FILES.inputs),
      },
      process.arch,
    );
  }
}

/** Later ones win; each name appears once. */
function mergeEnv(defaults: readonly string[], wanted: Readonly<Record<string, string>>): readonly string[] {
  const merged = new Map<string, string>();
  for (const pair of defaults) merged.set(pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1));
  for (const [name, value] of Object.entries(wanted)) merged.set(name, value);
  return [...merged].map(([name, value]) => `${name}=${value}`);
}
