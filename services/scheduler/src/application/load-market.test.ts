import { timersAt } from '@daya/kernel';
import { at, id } from '../../test/builders';
import { LoadMarket } from './load-market';
import { MarketState } from './market-state';
import type { MarketQueries } from './ports';

test('a new writer believes what was stored of its nodes, and tells the registry again: the last one may have ended first', async () => {
  const state = new MarketState(timersAt(1), { now: () => at(0) }, 1);
  const liveness = (['ONLINE', 'SUSPECT', 'LOST'] as const).map((connectivity, number) => ({
    nodeId: id(7, number),
    connectivity,
    sinceTime: at(-1_000),
  }));
  const nothing = () => Promise.resolve([]);
  const queries = {
    nodes: nothing,
    offers: nothing,
    liveness: () => Promise.resolve(liveness),
    openLeases: nothing,
    highestTokens: () => Promise.resolve(new Map()),
    waitingTasks: nothing,
  } as unknown as MarketQueries;
  await new LoadMarket(queries, state).execute();
  expect([...state.unreported]).toEqual(liveness.map(({ nodeId }) => nodeId));
  expect(liveness.map(({ nodeId }) => state.heartbeats.get(nodeId)?.connectivity)).toEqual([
    'ONLINE',
    'SUSPECT',
    'LOST',
  ]);
});
