import type { Clock } from '@daya/kernel';
import { NEW_SESSION } from '../domain/agent-session';
import type { Report, ReportBody } from '../domain/frames';
import type { AgentStream } from './agent-stream';
import { ForwardReport, type ReportedArtifacts } from './forward-report';
import type { Counters, LeasePermits, LeaseReport } from './ports';
import type { SchedulerDesk } from './scheduler-desk';

const clock: Clock = { now: () => new Date(0) };
const stream = { nodeId: 'n', session: NEW_SESSION, send: () => undefined } as unknown as AgentStream;
const artifacts = { faultOf: () => Promise.resolve(undefined) } as unknown as ReportedArtifacts;
const counters = { report: () => undefined } as unknown as Counters;
const LEASE = '01900000-0000-7000-8000-00000000000a';
const OTHER = '01900000-0000-7000-8000-00000000000b';
const idOf = (kind: string, leaseId: string): string => leaseId.replace('7000', kind === 'accepted' ? '7001' : '7002');
const report = (kind: 'accepted' | 'running', leaseId = LEASE): Report => {
  const body: ReportBody = { kind };
  return { reportId: idOf(kind, leaseId), leaseId, leaseToken: 1n, body };
};

function aWorld(kept: (leaseId: string) => Promise<void>) {
  const told: string[] = [];
  const desk = {
    report: ({ report: { reportId } }: LeaseReport) => {
      told.push(reportId);
      return Promise.resolve({ outcome: 'APPLIED', reason: '' });
    },
  } as unknown as SchedulerDesk;
  return { told, forward: new ForwardReport(desk, artifacts, { kept } as LeasePermits, counters, clock) };
}

test('an answer to an offer waits until the permit is safe, and what follows it stays behind it', async () => {
  let safe: () => void = () => undefined;
  const keeping = new Promise<void>((resolve) => (safe = resolve));
  const { told, forward } = aWorld((leaseId) => (leaseId === LEASE ? keeping : Promise.resolve()));
  const both = [report('accepted'), report('running')].map((one) => forward.execute(stream, one));
  await forward.execute(stream, report('accepted', OTHER));
  expect(told).toEqual([idOf('accepted', OTHER)]);
  safe();
  await Promise.all(both);
  expect(told).toEqual([idOf('accepted', OTHER), idOf('accepted', LEASE), idOf('running', LEASE)]);
});

test('when the permit could not be kept the answer is not told: the agent repeats it', async () => {
  const { told, forward } = aWorld(() => Promise.reject(new Error('disk full')));
  await expect(forward.execute(stream, report('accepted'))).rejects.toThrow('disk full');
  expect(told).toEqual([]);
});
