import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JobSpec } from '@daya/proto/scheduler';
import { AgentHome, until } from './support/agent-home';
import { bundle } from './support/bundle';
import { busyboxEntries, MemoryBlobs, putImage } from './support/oci-image';
import { TestPlatform } from './support/test-platform';

// Seconds where the machine is free; the limit is for one that is not.
jest.setTimeout(120_000);

describe('the shipped agent: one file in a folder without node_modules', () => {
  const blobs = new MemoryBlobs();
  const busybox = putImage(blobs, busyboxEntries());
  let platform: TestPlatform;
  let home: AgentHome;
  const processes: ChildProcess[] = [];

  const launch = async (program: string): Promise<ChildProcess> => {
    const before = platform.heartbeats;
    const agent = spawn(process.execPath, [program], {
      cwd: home.folder,
      env: { PATH: process.env['PATH'], ...home.environment() },
      stdio: 'inherit',
    });
    processes.push(agent);
    await until(() => platform.heartbeats > before);
    return agent;
  };
  const ended = (agent: ChildProcess): Promise<number | null> => new Promise((resolve) => agent.once('exit', resolve));
  const running = async (leaseToken: bigint, script: string): Promise<string> => {
    const spec = JobSpec.fromPartial({ image: { digest: busybox }, requirements: { memoryMib: 32, scratchMib: 8 } });
    const { leaseId } = platform.offer({ leaseToken, spec, command: ['sh', '-c', script] });
    await until(() =>
      platform.reports.some((report) => report.leaseId === leaseId && report.report?.$case === 'running'),
    );
    return leaseId;
  };
  const exited = (leaseId: string): Promise<unknown> =>
    until(
      () =>
        platform.reports.find((report) => report.leaseId === leaseId && report.report?.$case === 'exited')?.report
          ?.value,
    );

  beforeAll(async () => {
    platform = await TestPlatform.start({ heartbeatMs: 200, selfFenceMs: 4_500 });
    platform.blobs = blobs;
    home = new AgentHome(platform);
  });
  afterAll(() => {
    for (const agent of processes) agent.kill('SIGKILL');
    platform.stop();
    home.remove();
  });

  it('without configuration stops with the whole list of problems', () => {
    const result = spawnSync(process.execPath, [home.bundle], {
      env: { PATH: process.env['PATH'], TIMER_SCALE: '7', ENROLMENT_TOKEN: 'secret-token' },
      encoding: 'utf8',
    });
    expect(result.status).toBe(1);
    for (const name of [
      'STATE_FOLDER is missing',
      'ENROLMENT_ADDRESS is missing',
      'CA_CERTIFICATE_FILE is missing',
      'TIMER_SCALE: ',
    ])
      expect(result.stderr).toContain(name);
    expect(result.stderr).not.toContain('secret-token');
  });

  it('emulated GPUs that are not allowed are refused', () => {
    const result = spawnSync(process.execPath, [home.bundle], {
      env: { PATH: process.env['PATH'], ...home.environment({ ALLOW_EMULATED_GPUS: 'false' }) },
      encoding: 'utf8',
    });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('ALLOW_EMULATED_GPUS');
  });

  it('SIGTERM: the task is killed and reported, nothing is left, the exit is clean', async () => {
    const agent = await launch(home.bundle);
    const leaseId = await running(1n, 'sleep 100');
    agent.kill('SIGTERM');
    expect(await ended(agent)).toBe(0);
    expect(await exited(leaseId)).toMatchObject({ reason: 'AGENT_RESTARTED' });
    expect(home.containerProcesses()).toEqual([]);
    expect(home.mounts()).toEqual([]);
  });

  it('SIGKILL: the container dies with its agent; the next life reports it', async () => {
    const agent = await launch(home.bundle);
    const leaseId = await running(2n, 'sleep 100');
    agent.kill('SIGKILL');
    await until(() => home.containerProcesses().length === 0 && home.mounts().length === 0);
    await launch(home.bundle);
    expect(await exited(leaseId)).toMatchObject({ reason: 'AGENT_RESTARTED' });
  });

  it('SIGUSR2 drains: the running task ends in peace', async () => {
    const agent = processes.at(-1);
    const leaseId = await running(3n, 'sleep 0.5; exit 4');
    agent?.kill('SIGUSR2');
    expect(await exited(leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 4 });
    agent?.kill('SIGTERM');
    if (agent !== undefined) expect(await ended(agent)).toBe(0);
  });

  it('holds nothing of the lying agent', () => {
    expect(readFileSync(home.bundle, 'utf8')).not.toMatch(/lyingSeams|LyingDriver|usageFactor/);
  });

  it('the lying test build doubles its milliseconds, runs early and exits late', async () => {
    const lying = join(home.folder, 'lying.js');
    bundle({ entryPoints: [join(__dirname, 'lying-agent.ts')] }, lying);
    const agent = await launch(lying);
    const leaseId = await running(4n, 'echo real start; sleep 1');
    expect(home.containerProcesses()).toEqual([]);
    await until(() => platform.logOf(leaseId) !== '');
    const realStartMs = Date.now();
    await exited(leaseId);
    expect(Date.now() - realStartMs).toBeGreaterThan(1_800);
    const last = await until(() => platform.ticksOf(leaseId).find((tick) => tick.final));
    expect(last.cumulativeMs).toBeGreaterThan(2 * (500 + 1_000 + 1_000));
    agent.kill('SIGTERM');
    expect(await ended(agent)).toBe(0);
  });
});
