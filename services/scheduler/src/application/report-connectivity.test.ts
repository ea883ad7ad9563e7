import { DomainError, IdGenerator, timersAt } from '@daya/kernel';
import { at, id } from '../../test/builders';
import { MarketState } from './market-state';
import type { Heard, MarketQueries, NodeRegistry } from './ports';
import { NODES_PER_CALL_MAX, ReportConnectivity } from './report-connectivity';

class CountingIds extends IdGenerator {
  private count = 0;
  override next(): string {
    return `request-${(this.count += 1)}`;
  }
}

interface Call {
  readonly requestId: string;
  readonly nodes: readonly Heard[];
  readonly signal: AbortSignal;
}

/** A leading scheduler that has just heard of `count` nodes; the registry answers as `answer` says. */
function aWorld(count: number) {
  const state = new MarketState(timersAt(1), { now: () => at(0) }, 1);
  state.lead(1n, () => undefined);
  const nowMs = at(0).getTime();
  for (let number = 0; number < count; number += 1) {
    state.heartbeats.hear(id(7, number), nowMs, false, nowMs);
    state.unreported.add(id(7, number));
  }
  const calls: Call[] = [];
  const saved: Heard[] = [];
  const world = { answer: (): Promise<void> => Promise.resolve() };
  const registry: NodeRegistry = {
    reportConnectivity: (requestId, nodes, signal) => {
      calls.push({ requestId, nodes, signal });
      return world.answer();
    },
  };
  const queries = {
    saveLiveness: (nodes: readonly Heard[]) => Promise.resolve(void saved.push(...nodes)),
  } as unknown as MarketQueries;
  const report = new ReportConnectivity(queries, registry, state, new CountingIds());
  const over = new AbortController();
  return { state, calls, saved, world, over, execute: () => report.execute(over.signal) };
}

const down = new DomainError('unavailable', 'DOWN', 'down');

test('a thousand nodes are told in calls of at most a hundred, each node once', async () => {
  const { execute, calls, saved, state, over } = aWorld(1_000);
  await execute();
  expect(calls.map(({ nodes }) => nodes.length)).toEqual(Array.from({ length: 10 }, () => NODES_PER_CALL_MAX));
  expect(new Set(calls.flatMap(({ nodes }) => nodes.map(({ nodeId }) => nodeId))).size).toBe(1_000);
  expect(new Set(calls.map(({ requestId }) => requestId)).size).toBe(10);
  expect([saved.length, state.unreported.size]).toEqual([1_000, 0]);
  expect(calls.every(({ signal }) => signal === over.signal)).toBe(true);
  await execute();
  expect(calls).toHaveLength(10);
});

test('a batch without an answer is sent again as it was, under its request id; what changed meanwhile follows', async () => {
  const { execute, calls, world, state } = aWorld(2);
  world.answer = () => Promise.reject(down);
  await expect(execute()).rejects.toBe(down);
  const [nodeId] = state.unreported;
  state.heartbeats.review(at(0).getTime() + timersAt(1).suspectMs);
  world.answer = () => Promise.resolve();
  await execute();
  expect(calls.map(({ requestId }) => requestId)).toEqual(['request-1', 'request-1', 'request-2']);
  expect(calls[1]?.nodes).toEqual(calls[0]?.nodes);
  expect(calls[2]?.nodes).toMatchObject([{ nodeId, connectivity: 'SUSPECT' }, { connectivity: 'SUSPECT' }]);
  expect(state.unreported.size).toBe(0);
});

test('a batch that was refused is not repeated under its request id', async () => {
  const { execute, calls, world } = aWorld(1);
  const refusal = new DomainError('invalid', 'INVALID_FIELDS', 'refused');
  world.answer = () => Promise.reject(refusal);
  await expect(execute()).rejects.toBe(refusal);
  await expect(execute()).rejects.toBe(refusal);
  expect(calls.map(({ requestId }) => requestId)).toEqual(['request-1', 'request-2']);
});

test('nothing is told once it is over, or by a process that does not lead', async () => {
  const stopped = aWorld(300);
  stopped.world.answer = () => Promise.resolve(stopped.over.abort());
  await stopped.execute();
  expect(stopped.calls).toHaveLength(1);
  const reader = aWorld(1);
  reader.state.stepDown();
  await reader.execute();
  expect(reader.calls).toHaveLength(0);
});
