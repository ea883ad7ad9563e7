import { Job, RunState, TaskState } from '@daya/proto/scheduler';
import { DomainError } from '@daya/kernel';
import { eventually } from '@daya/testing';
import { anId, aMember, Harness } from './support/harness';
import type { TestAgent } from './support/test-agent';

let harness: Harness;
beforeAll(async () => {
  harness = await Harness.start({ LOG_BYTES_MAX: '1000' });
});
afterAll(() => harness.stop());

function aJob(leaseId: string, state = RunState.RUNNING): string {
  const jobId = anId();
  const runs = leaseId === '' ? [] : [{ runNumber: 1, leaseId, state }];
  harness.scheduler.jobs.set(
    jobId,
    Job.fromPartial({ jobId, tasks: [{ taskIndex: 0, state: TaskState.RUNNING, runs }] }),
  );
  return jobId;
}

function say(
  agent: TestAgent,
  leaseId: string,
  offset: number,
  text: string,
  flags: { end?: boolean; cut?: boolean; leaseToken?: bigint } = {},
): void {
  agent.send({
    $case: 'log',
    value: {
      leaseId,
      leaseToken: 1n,
      offsetBytes: BigInt(offset),
      data: Buffer.from(text),
      cut: false,
      end: false,
      ...flags,
    },
  });
}

/** Follows a log in the background. */
function follow(jobId: string, offsetBytes = 0n, runNumber = 0) {
  const seen = { text: '', cut: false, ended: false, error: undefined as unknown };
  const stream = harness
    .dispatch()
    .followLog({ jobId, taskIndex: 0, runNumber, offsetBytes }, { caller: aMember(), deadlineMs: 20_000 });
  void (async () => {
    try {
      for await (const piece of stream) {
        seen.text += Buffer.from(piece.data).toString();
        seen.cut ||= piece.cut;
      }
    } catch (error) {
      seen.error = error;
    }
    seen.ended = true;
  })();
  return seen;
}

test('a log is followed live, from any offset, and ends with the container', async () => {
  const agent = await (await harness.agent()).connect();
  const { leaseId } = harness.offer(agent.nodeId);
  const jobId = aJob(leaseId);
  say(agent, leaseId, 0, 'epoch 1\n');
  const all = follow(jobId);
  await eventually(() => expect(all.text).toBe('epoch 1\n'));
  say(agent, leaseId, 8, 'epoch 2\n');
  say(agent, leaseId, 8, 'epoch 2\n');
  await eventually(() => expect(all.text).toBe('epoch 1\nepoch 2\n'));
  expect(all.ended).toBe(false);
  const rest = follow(jobId, 8n);
  await eventually(() => expect(rest.text).toBe('epoch 2\n'));
  say(agent, leaseId, 16, 'done\n', { end: true });
  await eventually(() => expect([all.ended, rest.ended, all.error]).toEqual([true, true, undefined]));
  expect([all.text, rest.text]).toEqual(['epoch 1\nepoch 2\ndone\n', 'epoch 2\ndone\n']);
  const [first] = harness.scheduler.peer.tokens.filter(({ caller }) => caller !== undefined);
  expect(first?.caller).toBeDefined();
});

test('a log longer than its limit is cut and says so', async () => {
  const agent = await (await harness.agent()).connect();
  const { leaseId } = harness.offer(agent.nodeId);
  say(agent, leaseId, 0, 'x'.repeat(900));
  say(agent, leaseId, 900, 'y'.repeat(900));
  say(agent, leaseId, 1_800, '', { end: true });
  const seen = follow(aJob(leaseId));
  await eventually(() => expect(seen.ended).toBe(true));
  expect([seen.text, seen.cut]).toEqual(['x'.repeat(900) + 'y'.repeat(100), true]);
});

test('only the lease’s own node writes to its log', async () => {
  const [agent, other] = [await (await harness.agent()).connect(), await (await harness.agent()).connect()];
  const { leaseId } = harness.offer(agent.nodeId);
  say(other, leaseId, 0, 'forged');
  say(agent, leaseId, 0, 'stale', { leaseToken: 9n });
  say(agent, '../../etc/passwd', 0, 'bad');
  say(agent, leaseId, -1, 'bad');
  say(agent, leaseId, 0, 'x'.repeat(33_000));
  say(agent, leaseId, 0, 'true', { end: true });
  const seen = follow(aJob(leaseId));
  await eventually(() => expect(seen.ended).toBe(true));
  expect(seen.text).toBe('true');
  expect([agent.ended, other.ended]).toEqual([false, false]);
});

test('a run that is over without an end of its log ends the stream too', async () => {
  const agent = await (await harness.agent()).connect();
  const { leaseId } = harness.offer(agent.nodeId);
  say(agent, leaseId, 0, 'last words');
  const seen = follow(aJob(leaseId, RunState.LOST));
  await eventually(() => expect(seen.ended).toBe(true));
  expect([seen.text, seen.error]).toEqual(['last words', undefined]);
});

test('a task without a run is waited for', async () => {
  const agent = await (await harness.agent()).connect();
  const { leaseId } = harness.offer(agent.nodeId);
  const jobId = aJob('');
  const seen = follow(jobId);
  await new Promise((resolve) => setTimeout(resolve, 300));
  harness.scheduler.jobs.set(
    jobId,
    Job.fromPartial({ jobId, tasks: [{ taskIndex: 0, runs: [{ runNumber: 1, leaseId, state: RunState.RUNNING }] }] }),
  );
  say(agent, leaseId, 0, 'hi', { end: true });
  await eventually(() => expect([seen.text, seen.ended]).toEqual(['hi', true]));
});

test('a foreign job, a missing task or run, and bad fields are refused', async () => {
  const jobId = aJob(anId());
  const first = (request: Parameters<typeof call>[0]) => call(request)[Symbol.asyncIterator]().next();
  const call = (request: Partial<{ jobId: string; taskIndex: number; runNumber: number; offsetBytes: bigint }>) =>
    harness
      .dispatch()
      .followLog(
        { jobId, taskIndex: 0, runNumber: 0, offsetBytes: 0n, ...request },
        { caller: aMember(), deadlineMs: 5_000 },
      );
  await expect(first({ taskIndex: 5 })).rejects.toMatchObject({ reason: 'TASK_NOT_FOUND' });
  await expect(first({ runNumber: 5 })).rejects.toMatchObject({ reason: 'RUN_NOT_FOUND' });
  const all = await first({ jobId: 'x', taskIndex: -1, runNumber: -1, offsetBytes: -1n }).catch(
    (error: unknown) => error,
  );
  const fields = (all as { violations: { field: string }[] }).violations.map(({ field }) => field);
  expect(fields).toEqual(['job_id', 'task_index', 'run_number', 'offset_bytes']);
  harness.scheduler.peer.refusal = new DomainError('not-found', 'JOB_NOT_FOUND', 'job not found');
  await expect(first({})).rejects.toMatchObject({ reason: 'JOB_NOT_FOUND' });
  harness.scheduler.peer.refusal = undefined;
});

test('a log survives a restart of dispatch and goes on where it was', async () => {
  const agent = await (await harness.agent()).connect();
  const { leaseId } = harness.offer(agent.nodeId);
  say(agent, leaseId, 0, 'before ');
  say(agent, leaseId, 12, 'gap ');
  const jobId = aJob(leaseId);
  const seen = follow(jobId);
  await eventually(() => expect(seen.text).toBe('before \n[5 bytes of this log were lost]\ngap '));
  const drained = harness.service.stop();
  expect(await agent.next('redirect')).toEqual({ agentAddress: '127.0.0.1:7000' });
  await drained;
  await harness.boot();
  const back = await harness.again(agent).connect();
  say(back, leaseId, 12, 'gap after', { end: true });
  const again = follow(jobId);
  await eventually(() => expect(again.ended).toBe(true));
  expect(again.text).toBe('before \n[5 bytes of this log were lost]\ngap after');
}, 30_000);
