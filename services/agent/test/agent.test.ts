import { generateKeyPairSync } from 'node:crypto';
import type { LeaseExited, LeaseOffer, LeaseRefused } from '@daya/proto/scheduler';
import { JobSpec, LeaseReportOutcome } from '@daya/proto/scheduler';
import type { Report } from '@daya/proto/dispatch';
import { startAgent } from '../src/start-agent';
import type { RunningAgent } from '../src/start-agent';
import { PinoLog } from '../src/adapters/files/pino-log';
import { AgentHome, until } from './support/agent-home';
import { busyboxEntries, MemoryBlobs, putImage } from './support/oci-image';
import { TestPlatform } from './support/test-platform';

/** Fast beats; a fence that a busy machine does not reach by itself. */
const TIMERS = { heartbeatMs: 200, selfFenceMs: 4_500 };
/** When the platform gives the GPUs away, at the same scale. */
const REASSIGN_MS = 7_500;

describe('the agent on its stream', () => {
  const blobs = new MemoryBlobs();
  const busybox = putImage(blobs, busyboxEntries());
  let platform: TestPlatform;
  let home: AgentHome;
  let agent: RunningAgent;
  let token = 0n;

  const start = async (changes: Record<string, string> = {}): Promise<RunningAgent> => {
    const config = home.config(changes);
    const before = platform.heartbeats;
    const started = await startAgent(config, new PinoLog(config.LOG_LEVEL), home.keeperCommand);
    await until(() => platform.heartbeats > before);
    return started;
  };
  const offer = (script: string, changes: Partial<LeaseOffer> = {}): LeaseOffer => {
    token += 1n;
    const spec = JobSpec.fromPartial({ image: { digest: busybox }, requirements: { memoryMib: 32, scratchMib: 8 } });
    return platform.offer({ leaseToken: token, spec, command: ['sh', '-c', script], outputPath: 'out', ...changes });
  };
  const reportsOf = (leaseId: string): readonly string[] => {
    const kinds = platform.reports.filter((report) => report.leaseId === leaseId).map((report) => `${report.reportId} ${report.report?.$case}`);
    return [...new Set(kinds)].map((kind) => kind.split(' ')[1] ?? '');
  };
  const reportOf = (leaseId: string, kind: string): Report | undefined => platform.reports.find((report) => report.leaseId === leaseId && report.report?.$case === kind);
  const exitOf = async (leaseId: string): Promise<LeaseExited> => {
    const report = await until(() => reportOf(leaseId, 'exited'));
    return report.report?.value as LeaseExited;
  };
  const refusalOf = async (leaseId: string): Promise<string> => ((await until(() => reportOf(leaseId, 'refused'))).report?.value as LeaseRefused).reason;

  beforeAll(async () => {
    platform = await TestPlatform.start(blobs, TIMERS);
    home = new AgentHome(platform);
    agent = await start();
  });
  afterEach(async () => {
    platform.acknowledgeHeartbeats = platform.acknowledgeReports = platform.acknowledgeUsage = true;
    platform.outcomeOf = () => LeaseReportOutcome.APPLIED;
    await until(() => home.containerProcesses().length === 0 && home.mounts().length === 0);
  });
  afterAll(async () => {
    await agent.stop();
    platform.stop();
    expect(home.containerProcesses()).toEqual([]);
    home.remove();
  });

  it('enrols once and says what it is, emulated included', () => {
    expect(platform.hellos[0]).toMatchObject({
      protocolVersion: 1, emulated: true, draining: false, leases: [],
      inventory: { containerDriver: 'runc', networkAllowed: false, memoryMib: 4_096, gpus: [{ uuid: 'GPU-A', gpuModelId: 'rtx-4090' }, { uuid: 'GPU-B' }] },
    });
  });

  it('runs a task: accepted, running, exited, with log, secrets, inputs, artifacts and signed usage', async () => {
    const input = blobs.put(Buffer.from('from an earlier task'));
    const own = { sha256: blobs.put(Buffer.from('of the job')).digest.slice(7), path: 'own' };
    const spec = JobSpec.fromPartial({ image: { digest: busybox }, requirements: { memoryMib: 32, scratchMib: 8 }, inputs: [own] });
    const { leaseId } = offer('cat /inputs/own; echo; echo "$GREETING $SECRET"; mkdir out; cat /inputs/tasks/3/x > out/copy; sleep 0.5', {
      spec,
      env: { GREETING: 'hello' }, secrets: [{ name: 'SECRET', value: 'swordfish' }], inputs: [own, { sha256: input.digest.slice(7), path: 'tasks/3/x' }],
    });
    const exit = await exitOf(leaseId);
    expect(reportsOf(leaseId)).toEqual(['accepted', 'running', 'exited']);
    expect(exit).toMatchObject({ reason: 'EXITED', exitCode: 0, artifacts: [{ path: 'copy', bytes: 20n, sha256: input.digest.slice(7) }] });
    expect(platform.artifacts.get(input.digest.slice(7))?.toString()).toBe('from an earlier task');
    expect(platform.logOf(leaseId)).toBe('of the job\nhello swordfish\n');
    const ticks = await until(() => platform.ticksOf(leaseId).some((tick) => tick.final) && platform.ticksOf(leaseId));
    expect(ticks.at(-1)).toMatchObject({ final: true, cumulativeMs: Number(exit.cumulativeMs) });
    expect(Number(exit.cumulativeMs)).toBeGreaterThanOrEqual(450);
    expect(Number(exit.cumulativeMs)).toBeLessThan(1_500);
    const counts = ticks.map((tick) => tick.cumulativeMs);
    expect(counts).toEqual([...counts].sort((left, right) => left - right));
  });

  it('a program that fails reports its code and leaves no artifacts', async () => {
    const { leaseId } = offer('mkdir out; touch out/x; exit 9');
    expect(await exitOf(leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 9, artifacts: [] });
  });

  it.each<[string, Partial<LeaseOffer>, string]>([
    ['whose image is not there', { spec: JobSpec.fromPartial({ image: { digest: `sha256:${'e'.repeat(64)}` } }) }, 'IMAGE_NOT_FOUND'],
    ['whose image is not an image', { spec: JobSpec.fromPartial({ image: { digest: blobs.put(Buffer.from('{"schemaVersion":2}')).digest } }) }, 'IMAGE_INVALID'],
    ['whose output is a link', { command: ['sh', '-c', 'ln -s /etc out'] }, 'OUTPUT_INVALID'],
    ['whose input leaves its folder', { inputs: [{ sha256: blobs.put(Buffer.from('i')).digest.slice(7), path: '../x' }] }, 'INPUT_INVALID'],
  ])('a task %s ends typed', async (_name, changes, reason) => {
    const { leaseId } = offer('true', changes);
    const exit = await exitOf(leaseId);
    expect(exit).toMatchObject({ reason, artifacts: [] });
    expect(exit.exitCode === 0).toBe(reason === 'OUTPUT_INVALID');
  });

  it('a command that is not in the image ends as in a shell, without ever running', async () => {
    const { leaseId } = offer('', { command: ['/none'] });
    expect(await exitOf(leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 127, cumulativeMs: 0n });
    expect(reportsOf(leaseId)).toEqual(['accepted', 'exited']);
  });

  it('a task without output succeeds with nothing', async () => {
    expect(await exitOf(offer('true').leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 0, artifacts: [] });
  });

  it('stops when the platform says so', async () => {
    const { leaseId, leaseToken } = offer('sleep 100');
    await until(() => reportOf(leaseId, 'running'));
    platform.broadcast({ frame: { $case: 'stop', value: { leaseId, nodeId: platform.nodeId, leaseToken: leaseToken - 1n, reason: 'CANCELLED' } } });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(reportOf(leaseId, 'exited')).toBeUndefined();
    platform.broadcast({ frame: { $case: 'stop', value: { leaseId, nodeId: platform.nodeId, leaseToken, reason: 'CANCELLED' } } });
    expect(await exitOf(leaseId)).toMatchObject({ reason: 'CANCELLED', artifacts: [] });
  });

  describe('refuses', () => {
    it('a busy GPU, and a token at or below what the GPU has accepted', async () => {
      const running = offer('sleep 100');
      await until(() => reportOf(running.leaseId, 'running'));
      expect(await refusalOf(offer('true').leaseId)).toBe('GPU_BUSY');
      expect(await refusalOf(offer('true', { leaseToken: running.leaseToken }).leaseId)).toBe('STALE_TOKEN');
      const beside = offer('true', { gpuUuids: ['GPU-B'] });
      expect(await exitOf(beside.leaseId)).toMatchObject({ reason: 'EXITED' });
      platform.broadcast({ frame: { $case: 'stop', value: { leaseId: running.leaseId, nodeId: platform.nodeId, leaseToken: running.leaseToken, reason: 'SUPERSEDED' } } });
      expect(await exitOf(running.leaseId)).toMatchObject({ reason: 'FENCED' });
    });

    it('more than the machine has, network that the owner does not give, a GPU of somebody else', async () => {
      expect(await refusalOf(offer('true', { spec: JobSpec.fromPartial({ requirements: { memoryMib: 1 << 20 } }) }).leaseId)).toBe('RESOURCES_EXCEEDED');
      expect(await refusalOf(offer('true', { spec: JobSpec.fromJSON({ network: 'NETWORK_POLICY_INTERNET' }) }).leaseId)).toBe('NETWORK_NOT_ALLOWED');
      expect(await refusalOf(offer('true', { gpuUuids: ['GPU-Z'] }).leaseId)).toBe('GPU_UNKNOWN');
    });

    it('an offer that the scheduler did not sign: no answer at all', async () => {
      const forged = platform.offer({ leaseToken: 999n, command: ['true'] }, generateKeyPairSync('ed25519').privateKey);
      const genuine = offer('true');
      await exitOf(genuine.leaseId);
      expect(reportsOf(forged.leaseId)).toEqual([]);
    });

    it('to start what the scheduler has given to another node meanwhile', async () => {
      platform.outcomeOf = (report) => (report.report?.$case === 'accepted' ? LeaseReportOutcome.STALE : LeaseReportOutcome.APPLIED);
      const { leaseId } = offer('true');
      await until(() => reportOf(leaseId, 'accepted'));
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(reportsOf(leaseId)).toEqual(['accepted']);
    });
  });

  describe('when things break', () => {
    it('an offer that comes twice runs once', async () => {
      platform.acknowledgeReports = false;
      const first = offer('echo once');
      await until(() => reportOf(first.leaseId, 'accepted'));
      platform.offer(first);
      platform.acknowledgeReports = true;
      await exitOf(first.leaseId);
      expect(reportsOf(first.leaseId)).toEqual(['accepted', 'running', 'exited']);
      expect(platform.logOf(first.leaseId)).toBe('once\n');
    });

    it('repeats an exit until it is acknowledged', async () => {
      platform.outcomeOf = () => LeaseReportOutcome.APPLIED;
      const { leaseId } = offer('sleep 0.3');
      await until(() => reportOf(leaseId, 'running'));
      platform.acknowledgeReports = false;
      const first = await until(() => reportOf(leaseId, 'exited'));
      await until(() => platform.reports.filter((report) => report.reportId === first.reportId).length >= 3);
      platform.acknowledgeReports = true;
      await until(() => platform.reports.filter((report) => report.reportId === first.reportId).length >= 4);
      const count = platform.reports.length;
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(platform.reports.slice(count).filter((report) => report.reportId === first.reportId)).toEqual([]);
    });

    it('renewals that are not acknowledged stop the task in time, and a late one does not revive it', async () => {
      const { leaseId } = offer('sleep 100');
      await until(() => reportOf(leaseId, 'running'));
      platform.acknowledgeHeartbeats = false;
      const cutAtMs = Date.now();
      expect(await exitOf(leaseId)).toMatchObject({ reason: 'FENCED' });
      expect(Date.now() - cutAtMs).toBeLessThanOrEqual(REASSIGN_MS);
    });

    it('a cut connection stops the task, keeps counting into the spool, and tells all of it afterwards', async () => {
      const { leaseId } = offer('echo before; sleep 100');
      await until(() => platform.ticksOf(leaseId).length >= 2);
      platform.goAway();
      const cutAtMs = Date.now();
      await until(() => home.containerProcesses().length === 0);
      expect(Date.now() - cutAtMs).toBeLessThanOrEqual(REASSIGN_MS);
      const hellos = platform.hellos.length;
      await platform.comeBack();
      expect(await exitOf(leaseId)).toMatchObject({ reason: 'FENCED' });
      expect(platform.hellos[hellos]?.leases).toEqual([]);
      const ticks = await until(() => platform.ticksOf(leaseId).some((tick) => tick.final) && platform.ticksOf(leaseId));
      const sequences = [...new Set(ticks.map((tick) => tick.sequence))];
      expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, index) => (sequences[0] ?? 0) + index));
      expect(platform.logOf(leaseId)).toBe('before\n');
    });

    it('a short cut costs nothing: the task goes on', async () => {
      const { leaseId } = offer('echo one; sleep 1; echo two');
      await until(() => reportOf(leaseId, 'running'));
      platform.goAway();
      await platform.comeBack();
      expect(await exitOf(leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 0 });
      expect(platform.logOf(leaseId)).toBe('one\ntwo\n');
    });

    it('a restarted agent refuses old tokens and reports what it no longer runs; usage of the old boot arrives', async () => {
      platform.acknowledgeUsage = false;
      const { leaseId, leaseToken } = offer('sleep 100');
      await until(() => platform.ticksOf(leaseId).length >= 2);
      await agent.stop();
      expect(home.containerProcesses()).toEqual([]);
      platform.acknowledgeUsage = true;
      const before = platform.usage.length;
      agent = await start({ ENROLMENT_TOKEN: '' });
      expect(await exitOf(leaseId)).toMatchObject({ reason: 'AGENT_RESTARTED' });
      await until(() => platform.usage.length > before);
      const resent = platform.ticksOf(leaseId);
      expect(new Set(resent.map((tick) => tick.bootId)).size).toBe(1);
      expect(await refusalOf(offer('true', { leaseToken }).leaseId)).toBe('STALE_TOKEN');
    });
  });

  it('renews its certificate at two thirds of its life, with the next generation, and keeps its tasks', async () => {
    await agent.stop();
    const short = await TestPlatform.start(blobs, TIMERS);
    short.certificateLifeMs = 6_000;
    const ownHome = new AgentHome(short);
    const config = ownHome.config();
    const renewing = await startAgent(config, new PinoLog(config.LOG_LEVEL), ownHome.keeperCommand);
    try {
      await until(() => short.heartbeats > 0);
      const { leaseId } = short.offer({ leaseToken: 1n, spec: JobSpec.fromPartial({ image: { digest: busybox } }), command: ['sleep', '5'] });
      await until(() => short.generation >= 2);
      const report = await until(() => short.reports.find((candidate) => candidate.leaseId === leaseId && candidate.report?.$case === 'exited'));
      expect(report.report?.value).toMatchObject({ reason: 'EXITED', exitCode: 0 });
      expect(short.usage.at(-1)?.generation).toBeGreaterThanOrEqual(2);
    } finally {
      await renewing.stop();
      short.stop();
      ownHome.remove();
      agent = await start({ ENROLMENT_TOKEN: '' });
    }
  });

  it('drains: takes nothing new', async () => {
    agent.drain();
    expect(await refusalOf(offer('true').leaseId)).toBe('DRAINING');
  });
});
