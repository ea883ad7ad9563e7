import { LeaseReportOutcome } from '@daya/proto/scheduler';
import { AgentFixture, REASSIGN_MS } from './support/agent-fixture';
import { until } from './support/agent-home';

// Seconds where the machine is free; the limit is for one that is not.
jest.setTimeout(120_000);

describe('the agent when things break', () => {
  let fixture: AgentFixture;
  beforeAll(async () => {
    fixture = await AgentFixture.start();
  });
  afterEach(() => fixture.reset());
  afterAll(() => fixture.end());

  it('an offer that comes twice runs once', async () => {
    fixture.platform.acknowledgeReports = false;
    const first = fixture.offer('echo once');
    await until(() => fixture.reportOf(first.leaseId, 'accepted'));
    fixture.platform.offer(first);
    fixture.platform.acknowledgeReports = true;
    await fixture.exitOf(first.leaseId);
    expect(fixture.reportsOf(first.leaseId)).toEqual(['accepted', 'running', 'exited']);
    expect(fixture.platform.logOf(first.leaseId)).toBe('once\n');
  });

  it('repeats an exit until it is acknowledged', async () => {
    fixture.platform.outcomeOf = () => LeaseReportOutcome.APPLIED;
    const { leaseId } = fixture.offer('sleep 0.3');
    await fixture.runningOf(leaseId);
    fixture.platform.acknowledgeReports = false;
    const first = await until(() => fixture.reportOf(leaseId, 'exited'));
    await until(() => fixture.platform.reports.filter((report) => report.reportId === first.reportId).length >= 3);
    fixture.platform.acknowledgeReports = true;
    await until(() => fixture.platform.reports.filter((report) => report.reportId === first.reportId).length >= 4);
    const count = fixture.platform.reports.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(fixture.platform.reports.slice(count).filter((report) => report.reportId === first.reportId)).toEqual([]);
  });

  it('renewals that are not acknowledged stop the task in time, and a late one does not revive it', async () => {
    const { leaseId } = fixture.offer('sleep 100');
    await fixture.runningOf(leaseId);
    fixture.platform.acknowledgeHeartbeats = false;
    const cutAtMs = Date.now();
    expect(await fixture.exitOf(leaseId)).toMatchObject({ reason: 'FENCED' });
    expect(Date.now() - cutAtMs).toBeLessThanOrEqual(REASSIGN_MS);
  });

  it('a cut connection stops the task, keeps counting into the spool, and tells all of it afterwards', async () => {
    const { leaseId } = fixture.offer('echo before; sleep 100');
    await until(() => fixture.platform.ticksOf(leaseId).length >= 2);
    fixture.platform.goAway();
    const cutAtMs = Date.now();
    await until(() => fixture.home.containerProcesses().length === 0);
    expect(Date.now() - cutAtMs).toBeLessThanOrEqual(REASSIGN_MS);
    const hellos = fixture.platform.hellos.length;
    await fixture.platform.comeBack();
    expect(await fixture.exitOf(leaseId)).toMatchObject({ reason: 'FENCED' });
    expect(fixture.platform.hellos[hellos]?.leases).toEqual([]);
    const ticks = await until(
      () => fixture.platform.ticksOf(leaseId).some((tick) => tick.final) && fixture.platform.ticksOf(leaseId),
    );
    const sequences = [...new Set(ticks.map((tick) => tick.sequence))];
    expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, index) => (sequences[0] ?? 0) + index));
    expect(fixture.platform.logOf(leaseId)).toBe('before\n');
  });

  it('a short cut costs nothing: the task goes on', async () => {
    const { leaseId } = fixture.offer('echo one; sleep 1; echo two');
    await fixture.runningOf(leaseId);
    fixture.platform.goAway();
    await fixture.platform.comeBack();
    expect(await fixture.exitOf(leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 0 });
    await until(() => fixture.platform.logOf(leaseId) === 'one\ntwo\n');
  });

  it('a restarted agent refuses old tokens and reports what it no longer runs; usage of the old boot arrives', async () => {
    fixture.platform.acknowledgeUsage = false;
    const { leaseId, leaseToken } = fixture.offer('sleep 100');
    await until(() => fixture.platform.ticksOf(leaseId).length >= 2);
    await fixture.agent.stop();
    expect(fixture.home.containerProcesses()).toEqual([]);
    fixture.platform.acknowledgeUsage = true;
    const before = fixture.platform.usage.length;
    await fixture.startAgent({ ENROLMENT_TOKEN: '' });
    expect(await fixture.exitOf(leaseId)).toMatchObject({ reason: 'AGENT_RESTARTED' });
    await until(() => fixture.platform.usage.length > before);
    const resent = fixture.platform.ticksOf(leaseId);
    expect(new Set(resent.map((tick) => tick.bootId)).size).toBe(1);
    expect(await fixture.refusalOf(fixture.offer('true', { leaseToken }).leaseId)).toBe('STALE_TOKEN');
  });
});

describe('the certificate', () => {
  it('is renewed at two thirds of its life, with the next generation, and the tasks go on', async () => {
    const fixture = await AgentFixture.start({ certificateLifeMs: 6_000 });
    try {
      const { leaseId } = fixture.offer('sleep 5');
      await until(() => fixture.platform.generation >= 2);
      expect(await fixture.exitOf(leaseId)).toMatchObject({ reason: 'EXITED', exitCode: 0 });
      expect(fixture.platform.usage.at(-1)?.generation).toBeGreaterThanOrEqual(2);
    } finally {
      await fixture.end();
    }
  });
});
