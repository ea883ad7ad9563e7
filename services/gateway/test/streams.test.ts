import { DomainError } from '@daya/kernel';
import { FollowLogResponse, DispatchServiceService } from '@daya/proto/dispatch';
import { JobState, SchedulerServiceService, WatchJobResponse } from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { aKey, eventsOf, World } from './support/world';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

const EVENTS = { headers: { accept: 'text/event-stream' } };
const waiting = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

test('a watched job comes as events with its version as id, and an end', async () => {
  world.peers.handle(SchedulerServiceService.watchJob, async function* ({ jobId, resumeVersion }) {
    yield WatchJobResponse.fromPartial({ job: { jobId, version: resumeVersion + 1n, state: JobState.RUNNING } });
    yield WatchJobResponse.fromPartial({ job: { jobId, version: resumeVersion + 2n, state: JobState.SUCCEEDED } });
  });
  const response = await world.fetch('/v1/jobs/j-1:watch?resumeVersion=4', EVENTS);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const events = [];
  for await (const event of eventsOf(response)) events.push(event);
  expect(events.map(({ id, event, comment }) => id ?? event ?? comment)).toEqual(['open', '5', '6', 'end']);
  expect(JSON.parse(events[1]!.data!)).toMatchObject({
    job: { jobId: 'j-1', version: '5', state: 'JOB_STATE_RUNNING' },
  });
  const resumed = await world.fetch('/v1/jobs/j-1:watch', {
    headers: { accept: 'text/event-stream', 'last-event-id': '6' },
  });
  expect(await resumed.text()).toContain('id: 7\n');
});

test('a refusal before the first event is an ordinary problem, a later one an event', async () => {
  world.peers.handle(SchedulerServiceService.watchJob, async function* ({ jobId }) {
    if (jobId === 'late') yield WatchJobResponse.fromPartial({ job: { version: 1n } });
    throw new DomainError('not-found', 'JOB_NOT_FOUND', 'job not found');
  });
  expect(await world.problem(world.fetch('/v1/jobs/none:watch', EVENTS))).toMatchObject({
    status: 404,
    reason: 'JOB_NOT_FOUND',
  });
  const late = await (await world.fetch('/v1/jobs/late:watch', EVENTS)).text();
  expect(late).toMatch(/event: problem\ndata: \{.*"reason":"JOB_NOT_FOUND".*\}\n\n$/);
  expect(
    await world.problem(world.fetch('/v1/jobs/j:watch', { headers: { accept: 'application/json' } })),
  ).toMatchObject({ status: 406 });
});

test('a task’s log: data, resume position, the slow start of a queued task', async () => {
  world.peers.handle(DispatchServiceService.followLog, async function* ({ jobId, taskIndex, runNumber, offsetBytes }) {
    if (runNumber === 0) await new Promise((resolve) => setTimeout(resolve, 1_500));
    yield FollowLogResponse.fromPartial({ runNumber: 2, offsetBytes, data: Buffer.from(`${jobId}/${taskIndex}`) });
  });
  const response = await world.fetch('/v1/jobs/j/tasks/3/log', EVENTS);
  const events = [];
  for await (const event of eventsOf(response)) events.push(event);
  expect(events[1]).toMatchObject({ id: '2.3' });
  expect(JSON.parse(events[1]!.data!)).toEqual({
    runNumber: 2,
    offsetBytes: '0',
    data: Buffer.from('j/3').toString('base64'),
    cut: false,
  });
  const resumed = await world.fetch('/v1/jobs/j/tasks/3/log', {
    headers: { accept: 'text/event-stream', 'last-event-id': '2.3' },
  });
  expect(await resumed.text()).toContain('id: 2.6\n');
  expect(await world.problem(world.fetch('/v1/jobs/j/tasks/x/log', EVENTS))).toMatchObject({
    violations: [{ field: 'task_index' }],
  });
});

test('an open stream is cut within 3 s of its key’s revocation, and the service learns of it', async () => {
  let left = false;
  world.peers.handle(SchedulerServiceService.watchJob, async function* (_request, { signal }) {
    yield WatchJobResponse.fromPartial({ job: { version: 1n } });
    await waiting(signal);
    left = true;
  });
  const key = aKey('carol');
  world.keys.set(key, { organisationId: 'org-carol' });
  const response = await world.fetch('/v1/jobs/j:watch', { ...EVENTS, key });
  const read = (async () => {
    let last;
    for await (const event of eventsOf(response)) last = event;
    return last;
  })();
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  world.keys.get(key)!.revoked = true;
  const startMs = Date.now();
  const last = await read;
  expect(Date.now() - startMs).toBeLessThan(3_000);
  expect(last).toMatchObject({ event: 'problem' });
  expect(JSON.parse(last!.data!)).toMatchObject({ status: 401, reason: 'API_KEY_REVOKED' });
  await eventually(() => expect(left).toBe(true));
});

test('a reader that leaves ends the call behind it', async () => {
  let left = false;
  world.peers.handle(SchedulerServiceService.watchJob, async function* (_request, { signal }) {
    yield WatchJobResponse.fromPartial({ job: { version: 1n } });
    await waiting(signal);
    left = true;
  });
  const controller = new AbortController();
  await world.fetch('/v1/jobs/j:watch', { ...EVENTS, signal: controller.signal });
  controller.abort();
  await eventually(() => expect(left).toBe(true));
});

test('a slow reader slows the sender down; nothing piles up', async () => {
  let sent = 0;
  world.peers.handle(DispatchServiceService.followLog, async function* (_request, { signal }) {
    const data = Buffer.alloc(32 * 1_024, 97);
    for (let index = 0; index < 1_200 && !signal.aborted; index += 1) {
      sent += 1;
      yield FollowLogResponse.fromPartial({ runNumber: 1, offsetBytes: BigInt(index * data.length), data });
    }
  });
  const response = await world.fetch('/v1/jobs/j/tasks/0/log', EVENTS);
  let before: number;
  do {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  } while (sent === 0 || sent > before);
  expect(sent).toBeLessThan(600);
  let events = 0;
  for await (const { id } of eventsOf(response)) if (id !== undefined) events += 1;
  expect(events).toBe(1_200);
}, 120_000);
