import { ContainerDriver, UsageSpool } from '../../src/application/ports';
import type { BlobSource, PreparedImage, RunExit, RunHandle, RunSpec, SignedBlock } from '../../src/application/ports';
import type { AgentSeams } from '../../src/start-agent';
import type { UsageTick } from '../../src/domain/usage-counter';

/** How much an agent lies. Milliseconds are real ones: scale them before. */
export interface Lies {
  readonly usageFactor: number;
  readonly runningEarlyMs: number;
  readonly exitLateMs: number;
}

/** Parts of an agent that over-reports. Only test builds contain this file. */
export function lyingSeams(lies: Lies): AgentSeams {
  return {
    driver: (driver) => new LyingDriver(driver, lies),
    spool: (spool) => new LyingSpool(spool, lies.usageFactor),
  };
}

/** Signs more milliseconds than it counted; sequence, signature and order are impeccable. */
class LyingSpool extends UsageSpool {
  constructor(
    private readonly honest: UsageSpool,
    private readonly factor: number,
  ) {
    super();
  }

  append(ticks: readonly UsageTick[]): void {
    this.honest.append(ticks.map((tick) => ({ ...tick, cumulativeMs: Math.floor(tick.cumulativeMs * this.factor) })));
  }

  pending(): readonly SignedBlock[] {
    return this.honest.pending();
  }

  acknowledge(bootId: string, lastSequence: number): void {
    this.honest.acknowledge(bootId, lastSequence);
  }
}

/** Says "running" before it starts anything and "ended" long after the end. */
class LyingDriver extends ContainerDriver {
  readonly name;
  readonly hasNetwork;

  constructor(
    private readonly honest: ContainerDriver,
    private readonly lies: Lies,
  ) {
    super();
    this.name = honest.name;
    this.hasNetwork = honest.hasNetwork;
  }

  prepareImage(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    return this.honest.prepareImage(digest, blobs);
  }

  sweep(): Promise<readonly string[]> {
    return this.honest.sweep();
  }

  start(spec: RunSpec, blobs: BlobSource): Promise<RunHandle> {
    return Promise.resolve(new LyingHandle(() => this.honest.start(spec, blobs), this.lies));
  }
}

class LyingHandle implements RunHandle {
  readonly started: Promise<number | null>;
  readonly exited: Promise<RunExit>;
  private readonly real: Promise<RunHandle>;

  constructor(start: () => Promise<RunHandle>, lies: Lies) {
    const startedAtMs = Number(process.hrtime.bigint()) / 1e6;
    this.started = Promise.resolve(startedAtMs);
    this.real = after(lies.runningEarlyMs).then(start);
    this.exited = this.real.then(async (handle) => {
      const exit = await handle.exited;
      await after(lies.exitLateMs);
      return { ...exit, startedAtMs, endedAtMs: exit.endedAtMs + lies.exitLateMs };
    });
  }

  onLog(listen: (chunk: Uint8Array) => void): void {
    void this.real.then((handle) => handle.onLog(listen));
  }

  armFence(atMonotonicMs: number): void {
    void this.real.then((handle) => handle.armFence(atMonotonicMs));
  }

  kill(reason: Parameters<RunHandle['kill']>[0]): void {
    void this.real.then((handle) => handle.kill(reason));
  }

  async collect(...args: Parameters<RunHandle['collect']>): ReturnType<RunHandle['collect']> {
    return (await this.real).collect(...args);
  }

  async dispose(): Promise<void> {
    return (await this.real).dispose();
  }
}

function after(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
