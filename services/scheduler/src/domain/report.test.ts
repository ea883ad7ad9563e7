import * as fc from 'fast-check';
import { aJob, aRun, aTask, at, aSpec, id, someTerms } from '../../test/builders';
import { eventsOfChange } from './events';
import { isEnded, type Run } from './lease';
import { decideReport, type LeaseReport, type ReportBody } from './report';
import {
  budgetMs,
  endOfExit,
  endRun,
  EXIT_REASONS,
  FAULTS_PER_TASK_MAX,
  LOST_PER_TASK_MAX,
  lostEnd,
  refusedEnd,
  taskAfter,
} from './run-end';

const exited = (reason = 'EXITED', exitCode = 0): ReportBody => ({
  kind: 'EXITED',
  reason,
  exitCode,
  cumulativeMs: 1n,
  artifacts: [{ path: 'a', bytes: 1n, sha256: 'ab' }],
});
const aReport = (body: ReportBody, more: Partial<LeaseReport> = {}): LeaseReport => ({
  reportId: 'r',
  nodeId: id(7, 1),
  leaseId: id(6, 1),
  leaseToken: 7n,
  receiveTime: at(2_000),
  body,
  ...more,
});
const NOW = at(3_000);

test('a report of another node, of no lease, or under another token changes nothing', () => {
  expect(decideReport(undefined, aReport({ kind: 'ACCEPTED' }), NOW)).toMatchObject({
    outcome: 'REFUSED',
    reason: 'LEASE_UNKNOWN',
  });
  expect(decideReport(aRun(), aReport({ kind: 'RUNNING' }, { nodeId: id(7, 2) }), NOW)).toMatchObject({
    outcome: 'REFUSED',
    run: undefined,
  });
  const run = aRun();
  for (const leaseToken of [6n, 8n]) {
    expect(decideReport(run, aReport(exited(), { leaseToken }), NOW)).toMatchObject({
      outcome: 'STALE',
      reason: 'TOKEN_STALE',
      run,
    });
  }
});

test('a late result of a lost run is refused, but its exit frees the GPUs early', () => {
  const lost = endRun(aRun({ state: 'RUNNING', startTime: at(10) }), lostEnd(), at(60_000));
  const late = decideReport(lost, aReport(exited()), at(62_000));
  expect(late).toMatchObject({
    outcome: 'STALE',
    reason: 'LEASE_ENDED',
    artifacts: [],
    run: { state: 'LOST', closeTime: at(62_000) },
  });
  expect(decideReport(lost, aReport({ kind: 'RUNNING' }), at(62_000)).run).toBe(lost);
});

test('the start is when dispatch received it, never before the grant and never in the future', () => {
  const started = (receiveTime: Date): Date | undefined =>
    decideReport(aRun(), aReport({ kind: 'RUNNING' }, { receiveTime }), NOW).run?.startTime;
  expect(started(at(2_000))).toEqual(at(2_000));
  expect(started(at(-5_000))).toEqual(at(0));
  expect(started(at(9_000))).toEqual(NOW);
});

test('a success after a cancel counts for nothing and its artifacts are not taken', () => {
  const stopped = aRun({ state: 'RUNNING', startTime: at(0), stopReason: 'CANCELLED' });
  const decision = decideReport(stopped, aReport(exited()), NOW);
  expect(decision).toMatchObject({ outcome: 'APPLIED', artifacts: [], run: { state: 'CANCELLED', fault: 'NONE' } });
});

test('every exit reason has one meaning', () => {
  const meaning = Object.fromEntries(
    EXIT_REASONS.map((reason) => [reason, `${endOfExit(reason, 1).state} ${endOfExit(reason, 1).fault}`]),
  );
  expect(meaning).toEqual({
    EXITED: 'FAILED CUSTOMER',
    CANCELLED: 'CANCELLED NONE',
    OOM: 'FAILED CUSTOMER',
    OOM_CHILD: 'FAILED CUSTOMER',
    DISK_FULL: 'FAILED CUSTOMER',
    OUTPUT_INVALID: 'FAILED CUSTOMER',
    INPUT_INVALID: 'FAILED CUSTOMER',
    NODE_LOST: 'FAILED PROVIDER',
    DEADLINE: 'FAILED CUSTOMER',
    IMAGE_NOT_FOUND: 'FAILED CUSTOMER',
    IMAGE_INVALID: 'FAILED CUSTOMER',
    START_FAILED: 'FAILED PROVIDER',
    AGENT_RESTARTED: 'FAILED PROVIDER',
    FENCED: 'FAILED PROVIDER',
  });
  expect(endOfExit('EXITED', 0)).toMatchObject({ state: 'SUCCEEDED', fault: 'NONE' });
});

test('whatever is reported in whatever order, a lease ends at most once and tells its story in order', () => {
  const body = fc.oneof(
    fc.constant<ReportBody>({ kind: 'ACCEPTED' }),
    fc.constant<ReportBody>({ kind: 'RUNNING' }),
    fc.constant<ReportBody>({ kind: 'REFUSED', reason: 'GPU_BUSY' }),
    fc.constantFrom(...EXIT_REASONS).map((reason) => exited(reason, 0)),
  );
  fc.assert(
    fc.property(
      fc.array(fc.record({ body, token: fc.constantFrom(7n, 7n, 7n, 6n), ms: fc.integer({ min: -100, max: 5_000 }) }), {
        maxLength: 12,
      }),
      (reports) => {
        let run = aRun();
        const story: string[] = ['granted'];
        let results = 0;
        for (const { body: said, token, ms } of reports) {
          const before: Run = run;
          const decision = decideReport(before, aReport(said, { leaseToken: token, receiveTime: at(ms) }), NOW);
          if (isEnded(before)) expect(decision.outcome).not.toBe('APPLIED');
          const told = eventsOfChange(before, decision.run ?? before);
          run = told.run;
          results += decision.artifacts.length > 0 ? 1 : 0;
          story.push(...told.events.map(({ type }) => type.replace('lease-', '')));
          expect(told.events.map((event) => ('version' in event ? event.version : 0n))).toEqual(
            told.events.map((_, index) => before.eventVersion + BigInt(index) + 1n),
          );
        }
        expect(results).toBeLessThanOrEqual(1);
        expect(['granted', 'granted started', 'granted ended closed', 'granted started ended closed']).toContain(
          story.join(' '),
        );
        if (run.endTime)
          expect(run.endTime.getTime()).toBeGreaterThanOrEqual((run.startTime ?? run.terms.grantTime).getTime());
      },
    ),
    { numRuns: 500 },
  );
});

const closed = (run: Run): Run => ({ ...run, closeTime: at(9_000) });
const after = (run: Run, task = aTask(), maxRetries = 0): string => {
  const next = taskAfter(task, closed(run), aJob({ spec: aSpec({ maxRetries }) }));
  return `${next.state} ${next.reason}`.trim();
};
const ended = (reason: string, exitCode = 0): Run =>
  endRun(aRun({ state: 'RUNNING', startTime: at(0) }), endOfExit(reason, exitCode), at(1_000));

test('a task is tried again as its policy and the fault say', () => {
  expect(after(ended('EXITED'))).toBe('SUCCEEDED');
  expect(after(ended('EXITED', 1))).toBe('FAILED EXIT_CODE');
  expect(after(ended('EXITED', 1), aTask(), 1)).toBe('QUEUED EXIT_CODE');
  expect(after(ended('OOM'), aTask({ failureCount: 1 }), 1)).toBe('FAILED OOM');
  expect(after(ended('IMAGE_NOT_FOUND'), aTask(), 10)).toBe('FAILED IMAGE_NOT_FOUND');
  expect(after(ended('START_FAILED'))).toBe('QUEUED START_FAILED');
  expect(after(ended('FENCED'), aTask({ faultCount: FAULTS_PER_TASK_MAX }))).toBe('FAILED PROVIDER_FAULTS_EXHAUSTED');
  const lost = endRun(aRun({ state: 'RUNNING', startTime: at(0) }), lostEnd(), at(1_000));
  expect(after(lost)).toBe('QUEUED NODE_LOST');
  expect(after(lost, aTask({ lostCount: LOST_PER_TASK_MAX }))).toBe('FAILED NODES_LOST_EXHAUSTED');
  expect(after(ended('EXITED'), aTask({ state: 'CANCELLED' }))).toBe('CANCELLED');
});

test.each([
  ['DRAINING', 'PLATFORM', 'QUEUED DRAINING'],
  ['GPU_BUSY', 'PLATFORM', 'QUEUED GPU_BUSY'],
  ['STALE_TOKEN', 'PLATFORM', 'QUEUED STALE_TOKEN'],
  ['OFFER_EXPIRED', 'PLATFORM', 'QUEUED OFFER_EXPIRED'],
  ['OFFER_UNANSWERED', 'PROVIDER', 'QUEUED OFFER_UNANSWERED'],
  ['GPU_UNKNOWN', 'PROVIDER', 'FAILED PROVIDER_FAULTS_EXHAUSTED'],
  ['RESOURCES_EXCEEDED', 'PROVIDER', 'FAILED PROVIDER_FAULTS_EXHAUSTED'],
  ['OFFER_INVALID', 'PROVIDER', 'FAILED PROVIDER_FAULTS_EXHAUSTED'],
])('a refusal for %s is the fault of the %s; a task that was spoiled often is then %s', (reason, fault, next) => {
  const run = endRun(aRun(), refusedEnd(reason), at(1));
  expect(run.fault).toBe(fault);
  expect(after(run)).toBe(`QUEUED ${reason}`);
  expect(after(run, aTask({ faultCount: FAULTS_PER_TASK_MAX }))).toBe(next);
});

test('the customer’s runs share one budget; the provider’s spoiled ones cost nothing of it', () => {
  expect(budgetMs(ended('OOM'))).toBe(1_000);
  expect(budgetMs(ended('START_FAILED'))).toBe(0);
  expect(budgetMs(endRun(aRun(), endOfExit('OOM', 1), at(500)))).toBe(0);
  expect(after(ended('OOM'), aTask({ usedMs: 58_500 }), 10)).toBe('FAILED DEADLINE');
  expect(taskAfter(aTask(), closed(ended('OOM')), aJob({ spec: aSpec({ maxRetries: 1 }) }))).toMatchObject({
    usedMs: 1_000,
    failureCount: 1,
  });
});

test('a stop for lack of time is no cancel: the result still counts', () => {
  const run = aRun({ terms: someTerms(), state: 'RUNNING', startTime: at(0), stopReason: 'EXPIRED' });
  expect(decideReport(run, aReport(exited()), NOW).run?.state).toBe('SUCCEEDED');
});
