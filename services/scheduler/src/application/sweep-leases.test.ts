import { timersAt } from '@daya/kernel';
import { aJob, aRun, aTask, at } from '../../test/builders';
import type { Run } from '../domain/lease';
import { MarketState } from './market-state';
import type { Doorbell, LockedRun, Store, Transaction } from './ports';
import { RenewLeases, type NodeRenewal } from './renew-leases';
import { SweepLeases } from './sweep-leases';

const TIMERS = timersAt(1);

/** A writer with one running lease, whose database lets `meanwhile` happen at every step of a transaction. */
function aWorld() {
  let nowMs = at(0).getTime();
  const state = new MarketState(TIMERS, { now: () => new Date(nowMs) }, 1);
  let stored: Run = aRun({ state: 'RUNNING', startTime: at(0), expireTime: at(TIMERS.leaseTtlMs) });
  const world = { meanwhile: (): Promise<void> => Promise.resolve() };
  const locked = (): LockedRun[] => [
    { run: stored, task: aTask({ state: 'RUNNING' }), job: aJob({ state: 'RUNNING' }) },
  ];
  const tx = {
    leases: {
      requireRange: () => world.meanwhile(),
      lock: async () => (await world.meanwhile(), locked()),
      saveRuns: async ([run]: readonly Run[]) => {
        stored = run ?? stored;
        await world.meanwhile();
      },
      startedOf: async () => new Map(),
    },
    jobs: { saveTasks: async () => undefined, progress: async () => new Map(), save: async () => undefined },
    events: { append: () => world.meanwhile() },
  } as unknown as Transaction;
  const store: Store = { transaction: (_scope, work) => work(tx) };
  state.lead(1n, () => undefined);
  state.restore(
    { run: stored, occupation: { ...OCCUPATION, leaseId: stored.terms.leaseId, nodeId: stored.terms.nodeId } },
    nowMs,
  );
  const { leaseId, leaseToken, nodeId } = stored.terms;
  const beat = async (): Promise<NodeRenewal | undefined> => {
    const heartbeat = { nodeId, receiveTime: new Date(nowMs), agentStarted: false, draining: false };
    const [renewal] = await new RenewLeases(store, state).execute([
      { ...heartbeat, leases: [{ leaseId, leaseToken }] },
    ]);
    return renewal;
  };
  const doorbell: Doorbell = { ring: () => Promise.resolve() };
  const sweep = new SweepLeases(store, state, doorbell);
  return {
    world,
    beat,
    sweep: () => sweep.execute(),
    pass: (ms: number) => (nowMs += ms),
    lease: () => state.book.get(leaseId),
    stored: () => stored,
  };
}
const OCCUPATION = { gpuUuids: ['GPU-0'], cpuMilli: 1_000, memoryMib: 512, scratchMib: 256 };

test('a heartbeat in time keeps the lease', async () => {
  const { beat, sweep, pass, stored } = aWorld();
  pass(TIMERS.leaseTtlMs - 1);
  expect(await beat()).toMatchObject({ renewed: [{}], stops: [] });
  pass(1);
  await sweep();
  expect(stored().state).toBe('RUNNING');
});

test('once a lease is being ended no heartbeat is told that it was renewed, and its GPUs are kept from its true end on', async () => {
  const { world, beat, sweep, pass, lease, stored } = aWorld();
  pass(TIMERS.leaseTtlMs);
  const answers: (NodeRenewal | undefined)[] = [];
  world.meanwhile = async () => {
    world.meanwhile = () => Promise.resolve();
    answers.push(await beat());
    world.meanwhile = async () => void answers.push(await beat());
  };
  await sweep();
  expect(answers.length).toBeGreaterThan(1);
  for (const answer of answers) expect(answer).toMatchObject({ renewed: [], stops: [{ reason: 'EXPIRED' }] });
  expect(stored()).toMatchObject({ state: 'LOST', endTime: at(TIMERS.leaseTtlMs) });
  expect(lease()?.closeAtMs).toBe(at(TIMERS.reassignMs).getTime());
});
