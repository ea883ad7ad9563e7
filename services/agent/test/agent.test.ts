import { generateKeyPairSync } from 'node:crypto';
import { JobSpec, LeaseReportOutcome } from '@daya/proto/scheduler';
import type { LeaseOffer } from '@daya/proto/scheduler';
import { AgentFixture } from './support/agent-fixture';
import { until } from './support/agent-home';

// Seconds where the machine is free; the limit is for one that is not.
jest.setTimeout(120_000);

describe('the agent on its stream', () => {
  let fixture: AgentFixture;
  beforeAll(async () => {
    fixture = await AgentFixture.start();
  });
  afterEach(() => fixture.reset());
  afterAll(() => fixture.end());

  it('enrols once and says what it is, emulated included', () => {
    expect(fixture.platform.hellos[0]).toMatchObject({
      protocolVersion: 1,
      emulated: true,
      draining: false,
      leases: [],
      inventory: {
        containerDriver: 'runc',
        networkAllowed: false,
        memoryMib: 4_096,
        gpus: [{ uuid: 'GPU-A', gpuModelId: 'rtx-4090' }, { uuid: 'GPU-B' }],
      },
    });
  });

  it('runs a task: accepted, running, exited, with log, secrets, inputs, artifacts and signed usage', async () => {
    const earlier = fixture.input('from an earlier task', 'tasks/3/x');
    const own = fixture.input('of the job', 'own');
    const spec = fixture.spec([own]);
    const { leaseId } = fixture.offer(
      'cat /inputs/own; echo; echo "$GREETING $SECRET"; mkdir out; cat /inputs/tasks/3/x > out/copy; sleep 0.5',
      {
        spec,
        env: { GREETING: 'hello' },
        secrets: [{ name: 'SECRET', value: 'swordfish' }],
        inputs: [own, earlier],
      },
    );
    const exit = await fixture.exitOf(leaseId);
    expect(fixture.reportsOf(leaseId)).toEqual(['accepted', 'running', 'exited']);
    expect(exit).toMatchObject({
      reason: 'EXITED',
      exitCode: 0,
      artifacts: [{ path: 'copy', bytes: 20n, sha256: earlier.sha256 }],
    });
    expect(fixture.platform.artifacts.get(earlier.sha256)?.toString()).toBe('from an earlier task');
    expect(fixture.platform.logOf(leaseId)).toBe('of the job\nhello swordfish\n');
    const ticks = await until(
      () => fixture.platform.ticksOf(leaseId).some((tick) => tick.final) && fixture.platform.ticksOf(leaseId),
    );
    expect(ticks.at(-1)).toMatchObject({ final: true, cumulativeMs: Number(exit.cumulativeMs) });
    expect(Number(exit.cumulativeMs)).toBeGreaterThanOrEqual(450);
    expect(Number(exit.cumulativeMs)).toBeLessThan(5_000);
    const counts = ticks.map((tick) => tick.cumulativeMs);
    expect(counts).toEqual([...counts].sort((left, right) => left - right));
  });

  it('a program that fails reports its code and leaves no artifacts', async () => {
    const { leaseId } = fixture.offer('mkdir out; touch out/x; exit 9');
    expect(await fixture.exitOf(leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 9, artifacts: [] });
  });

  it.each<[string, () => Partial<LeaseOffer>, string]>([
    ['whose image is not there', () => ({ spec: withImage(`sha256:${'e'.repeat(64)}`) }), 'IMAGE_NOT_FOUND'],
    [
      'whose image is not an image',
      () => ({ spec: withImage(fixture.blobs.put(Buffer.from('{"schemaVersion":2}')).digest) }),
      'IMAGE_INVALID',
    ],
    ['whose output is a link', () => ({ command: ['sh', '-c', 'ln -s /etc out'] }), 'OUTPUT_INVALID'],
    ['whose input leaves its folder', () => ({ inputs: [fixture.input('i', '../x')] }), 'INPUT_INVALID'],
  ])('a task %s ends typed', async (_name, changes, reason) => {
    const { leaseId } = fixture.offer('true', changes());
    expect(await fixture.exitOf(leaseId)).toMatchObject({ reason, exitCode: 0, artifacts: [] });
  });

  it('a command that is not in the image ends as in a shell, without ever running', async () => {
    const { leaseId } = fixture.offer('', { command: ['/none'] });
    expect(await fixture.exitOf(leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 127, cumulativeMs: 0n });
    expect(fixture.reportsOf(leaseId)).toEqual(['accepted', 'exited']);
  });

  it('a task without output succeeds with nothing', async () => {
    expect(await fixture.exitOf(fixture.offer('true').leaseId)).toMatchObject({
      reason: 'EXITED',
      exitCode: 0,
      artifacts: [],
    });
  });

  it('stops when the platform says so', async () => {
    const lease = fixture.offer('sleep 100');
    const { leaseId } = lease;
    await fixture.runningOf(leaseId);
    // Of two orders the first decides the reason: the one under an older token must not be it.
    fixture.stop(lease, 'SUPERSEDED', lease.leaseToken - 1n);
    fixture.stop(lease, 'CANCELLED');
    expect(await fixture.exitOf(leaseId)).toMatchObject({ reason: 'CANCELLED', artifacts: [] });
  });

  describe('refuses', () => {
    it('a busy GPU, and a token at or below what the GPU has accepted', async () => {
      const running = fixture.offer('sleep 100');
      await fixture.runningOf(running.leaseId);
      expect(await fixture.refusalOf(fixture.offer('true').leaseId)).toBe('GPU_BUSY');
      expect(await fixture.refusalOf(fixture.offer('true', { leaseToken: running.leaseToken }).leaseId)).toBe(
        'STALE_TOKEN',
      );
      const beside = fixture.offer('true', { gpuUuids: ['GPU-B'] });
      expect(await fixture.exitOf(beside.leaseId)).toMatchObject({ reason: 'EXITED' });
      fixture.stop(running, 'SUPERSEDED');
      expect(await fixture.exitOf(running.leaseId)).toMatchObject({ reason: 'FENCED' });
    });

    it('more than the machine has, network that the owner does not give, a GPU of somebody else', async () => {
      expect(
        await fixture.refusalOf(
          fixture.offer('true', { spec: JobSpec.fromPartial({ requirements: { memoryMib: 1 << 20 } }) }).leaseId,
        ),
      ).toBe('RESOURCES_EXCEEDED');
      expect(
        await fixture.refusalOf(
          fixture.offer('true', { spec: JobSpec.fromJSON({ network: 'NETWORK_POLICY_INTERNET' }) }).leaseId,
        ),
      ).toBe('NETWORK_NOT_ALLOWED');
      expect(await fixture.refusalOf(fixture.offer('true', { gpuUuids: ['GPU-Z'] }).leaseId)).toBe('GPU_UNKNOWN');
    });

    it('an offer that the scheduler did not sign: no answer at all', async () => {
      const forged = fixture.platform.offer(
        { leaseToken: 999n, command: ['true'] },
        generateKeyPairSync('ed25519').privateKey,
      );
      const genuine = fixture.offer('true');
      await fixture.exitOf(genuine.leaseId);
      expect(fixture.reportsOf(forged.leaseId)).toEqual([]);
    });

    it('to start what the scheduler has given to another node meanwhile', async () => {
      fixture.platform.outcomeOf = (report) =>
        report.report?.$case === 'accepted' ? LeaseReportOutcome.STALE : LeaseReportOutcome.APPLIED;
      const { leaseId } = fixture.offer('true');
      await until(() => fixture.reportOf(leaseId, 'accepted'));
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(fixture.reportsOf(leaseId)).toEqual(['accepted']);
    });
  });

  it('drains: takes nothing new', async () => {
    fixture.agent.drain();
    expect(await fixture.refusalOf(fixture.offer('true').leaseId)).toBe('DRAINING');
  });
});

function withImage(digest: string): JobSpec {
  return JobSpec.fromPartial({ image: { digest } });
}
