import { readFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import Docker from 'dockerode';
import { readCgroup } from '../keeper/cgroup';
import type { CgroupPaths, CgroupReading } from '../keeper/cgroup';
import { commandFaultOf } from '../keeper/command-fault';
import type { Engine, EngineListener } from '../keeper/engine';
import type { LogFile } from '../keeper/log-file';

const SAMPLE_MS = 200;
const CGROUP_ROOT = '/sys/fs/cgroup';

/** A container of a Docker engine on this machine; its first process is watched and killed by pid, exactly as runc's. */
export class DockerEngine implements Engine {
  private readonly docker: Docker;
  private container: Docker.Container | null = null;
  private aborted = false;
  private startError = '';
  private outputEnded: Promise<void> = Promise.resolve();
  private last: CgroupReading = { oomKills: 0, cpuMs: 0 };
  private stopSampling: () => void = () => undefined;

  constructor(
    socketPath: string,
    private readonly name: string,
    private readonly create: object,
    private readonly log: LogFile,
  ) {
    this.docker = new Docker({ socketPath });
  }

  start(listener: EngineListener): void {
    this.run(listener).then(
      (exitCode) => listener.exited(exitCode),
      (error: unknown) => {
        this.startError = String(error);
        listener.exited(null);
      },
    );
  }

  abort(): void {
    this.aborted = true;
    this.container?.kill().catch(() => undefined);
  }

  commandFault(): 126 | 127 | null {
    return commandFaultOf(this.startError);
  }

  /** Docker takes the cgroup away with the process, so processor time is the last sample (up to 200 ms old). */
  async counters(): Promise<CgroupReading> {
    this.stopSampling();
    const state = await this.container?.inspect().then(
      (found) => found.State,
      () => undefined,
    );
    return { ...this.last, oomKills: Math.max(this.last.oomKills, state?.OOMKilled === true ? 1 : 0) };
  }

  async remove(): Promise<void> {
    await this.container?.remove({ force: true, v: true }).catch(() => undefined);
    await this.outputEnded;
  }

  private async run(listener: EngineListener): Promise<number | null> {
    const container = await this.docker.createContainer({ ...this.create, name: this.name });
    this.container = container;
    const output = await container.attach({ stream: true, stdout: true, stderr: true });
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.log.keep(chunk);
        done();
      },
    });
    container.modem.demuxStream(output, sink, sink);
    this.outputEnded = new Promise((resolve) => output.once('close', resolve).once('end', resolve));
    if (this.aborted) throw new Error('aborted');
    await container.start();
    const { State: state } = await container.inspect();
    if (state.Pid > 0) this.sample(state.Pid);
    // 0 when it has ended already: it ran, and there is nothing left to kill.
    listener.started(state.Pid);
    const result = (await container.wait()) as { StatusCode: number };
    return result.StatusCode;
  }

  private sample(pid: number): void {
    const paths = cgroupPathsOfProcess(pid);
    const read = (): void => {
      const now = readCgroup(paths);
      this.last = { oomKills: Math.max(this.last.oomKills, now.oomKills), cpuMs: Math.max(this.last.cpuMs, now.cpuMs) };
    };
    const timer = setInterval(read, SAMPLE_MS);
    this.stopSampling = () => {
      clearInterval(timer);
      read();
    };
    read();
  }
}

function cgroupPathsOfProcess(pid: number): CgroupPaths {
  const paths: Record<string, string> = {};
  try {
    for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n')) {
      const [, controllers = '', path = ''] = line.split(':');
      for (const controller of controllers.split(','))
        paths[controller] = `${CGROUP_ROOT}${controller === '' ? '' : `/${controller}`}${path}`;
    }
  } catch {
    return {};
  }
  return paths;
}
