import { timersAt, type Clock, type IdGenerator } from '@daya/kernel';
import type { Job } from '../domain/job';
import type { Arrival } from './arrivals';
import { MarketState } from './market-state';
import { PlaceTasks } from './place-tasks';
import type { Doorbell, Store, Transaction } from './ports';

const clock: Clock = { now: () => new Date(0) };
const doorbell = { ring: () => Promise.resolve() } as Doorbell;
const ids: IdGenerator = { next: () => 'id' };

/** A writer on a store that queues all jobs but `lost`, or fails as a whole. */
function aWriter(lost = '', failure?: Error) {
  const queued: string[] = [];
  const tx = {
    leases: {
      requireRange: () => Promise.resolve(),
      lockQueued: () => Promise.resolve(new Set()),
      grant: () => Promise.resolve(),
    },
    jobs: {
      queueFunded: (list: readonly Arrival[]) => {
        const jobIds = list.map(({ job }) => job.jobId).filter((jobId) => jobId !== lost);
        queued.push(...jobIds);
        return Promise.resolve(new Set(jobIds));
      },
    },
    events: { append: () => Promise.resolve() },
  } as unknown as Transaction;
  const store = {
    transaction: (_scope: unknown, work: (tx: Transaction) => Promise<unknown>) =>
      failure ? Promise.reject(failure) : work(tx),
  } as Store;
  const state = new MarketState(timersAt(1), clock, 1);
  state.lead(1n, () => undefined);
  return { state, place: new PlaceTasks(store, state, doorbell, ids), queued };
}

const arrival = (jobId: string): Arrival => ({
  job: { jobId } as Job,
  tasks: [],
  secrets: undefined,
  announce: () => Promise.resolve(),
});

test('however many jobs arrive at once, the writer goes on until all of them are queued', async () => {
  const { state, place, queued } = aWriter('7');
  const answers = Array.from({ length: 300 }, (_, index) => state.arrive(arrival(`${index}`)));
  while (await place.execute());
  const isQueued = await Promise.all(answers);
  expect(queued).toHaveLength(299);
  expect(isQueued.flatMap((yes, index) => (yes ? [] : [index]))).toEqual([7]);
});

test('a job that two calls bring at once is taken from one of them only', async () => {
  const { state, place, queued } = aWriter();
  const answers = [state.arrive(arrival('same')), state.arrive(arrival('other')), state.arrive(arrival('same'))];
  while (await place.execute());
  expect(queued).toEqual(['same', 'other']);
  expect(await Promise.all(answers)).toEqual([true, true, false]);
});

test('what a failing writer had taken, and what it had not, goes back to who brought it', async () => {
  const { state, place } = aWriter('', new Error('fenced'));
  const answers = Array.from({ length: 100 }, (_, index) => state.arrive(arrival(`${index}`)));
  await expect(place.execute()).rejects.toThrow('fenced');
  state.stepDown();
  expect(new Set(await Promise.all(answers))).toEqual(new Set([false]));
  expect(await state.arrive(arrival('late'))).toBe(false);
});
