import { timersAt } from '@daya/kernel';
import { at } from '../../test/builders';
import { MarketState } from './market-state';
import { Doorbell, type MarketQueries } from './ports';
import { WatchDatabase } from './watch-database';

class NoDoorbell extends Doorbell {
  override ring(): Promise<void> {
    return Promise.resolve();
  }
}

test('a look goes back to the one before, however late it comes, and at times far', async () => {
  let nowMs = 100_000;
  const state = new MarketState(timersAt(1), { now: () => at(nowMs) }, 1);
  const looks: number[] = [];
  const queries = {
    waitingTasks: ({ since }: { since: Date }) => {
      looks.push(nowMs - (since.getTime() - at(0).getTime()));
      return Promise.resolve([]);
    },
    stopOrders: () => Promise.resolve([]),
  } as unknown as MarketQueries;
  const watch = new WatchDatabase(queries, state, new NoDoorbell());
  for (const pauseMs of [0, 1_000, 60_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000]) {
    nowMs += pauseMs;
    await watch.execute();
  }
  expect(looks.slice(0, 4)).toEqual([30_000, 3_000, 62_000, 3_000]);
  expect(looks.slice(9)).toEqual([3_000, 30_000, 3_000]);
});
