import * as fc from 'fast-check';
import { aJob, aSpec, id } from '../../test/builders';
import { newTasks, progressOf, type TaskCounts } from './job';
import { workOf } from './job-spec';
import { TASK_STATES } from './states';

const FINAL = { command: ['join'], env: {}, outputPath: 'film' };

test('tasks wait at their quoted price, the final one for the others', () => {
  const job = aJob({ spec: aSpec({ taskCount: 2, finalTask: FINAL }) });
  let count = 0;
  const tasks = newTasks(job, [5n, 6n, 7n], () => id(5, (count += 1)));
  expect(tasks.map(({ taskIndex, state, priceMicrosMax }) => `${taskIndex} ${state} ${priceMicrosMax}`)).toEqual([
    '0 QUEUED 5',
    '1 QUEUED 6',
    '2 BLOCKED 7',
  ]);
});

test('the final task has its own command; the placeholder becomes the index', () => {
  const spec = aSpec({ taskCount: 2, command: ['frame', '{task.index}-{task.index}'], finalTask: FINAL });
  expect(workOf(spec, 1).command).toEqual(['frame', '1-1']);
  expect(workOf(spec, 2)).toEqual({ command: ['join'], env: {}, outputPath: 'film' });
});

test('a job ends exactly when nothing of it is open: failed if a task failed, else succeeded', () => {
  const counts = fc.record(
    Object.fromEntries(
      TASK_STATES.filter((state) => state !== 'CANCELLED').map((state) => [state, fc.integer({ min: 0, max: 2 })]),
    ),
  );
  fc.assert(
    fc.property(counts, fc.constantFrom('QUEUED' as const, 'RUNNING' as const), (given, state) => {
      const of = given as Required<TaskCounts>;
      const progress = progressOf(aJob({ state }), of, 'OOM');
      const open = of.QUEUED + of.LEASED + of.RUNNING;
      if (open > 0) expect(progress.state).toBe(of.RUNNING > 0 ? 'RUNNING' : state);
      else if (of.FAILED > 0)
        expect(progress).toMatchObject({ state: 'FAILED', reason: 'OOM', dropFinal: of.BLOCKED > 0 });
      else if (of.BLOCKED > 0) expect(progress).toMatchObject({ state, releaseFinal: true });
      else expect(progress.state).toBe('SUCCEEDED');
    }),
  );
});

test('a cancelled job stays cancelled whatever its tasks do', () => {
  expect(progressOf(aJob({ state: 'CANCELLED' }), { FAILED: 1 }, 'OOM')).toMatchObject({
    state: 'CANCELLED',
    dropFinal: false,
  });
});
