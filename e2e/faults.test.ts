import { execFileSync } from 'node:child_process';
import { attachInfra, attachPlatform, type Infra, type Platform } from './support/platform';
import { lastingViolations } from './support/auditors';
import {
  freshRegion,
  openDemand,
  openSupply,
  shellJob,
  submit,
  untilFinished,
  untilRunning,
  untilSettled,
  workFor,
  type Party,
  type Supply,
} from './support/market';

let platform: Platform;
let infra: Infra;
let customer: Party;
const opened: Supply[] = [];

beforeAll(async () => {
  platform = attachPlatform();
  infra = await attachInfra();
  customer = await openDemand(platform, '100000000');
}, 60_000);

afterAll(() => Promise.all(opened.flatMap((supply) => supply.agents.map((agent) => agent.stop()))));

const supplyIn = async (region: string, nodes: Parameters<typeof openSupply>[2]): Promise<Supply> => {
  const supply = await openSupply(platform, region, nodes);
  opened.push(supply);
  return supply;
};

/** Kills an agent, its keepers and its containers at once, as a power cut would. */
function powerCut(agentFolder: string): void {
  const pids = execFileSync('pgrep', ['-f', agentFolder]).toString().trim().split('\n').map(Number);
  const children = pids.flatMap((pid) => childrenOf(pid));
  for (const pid of [...pids, ...children]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It was a child of one that is dead already.
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    const direct = execFileSync('pgrep', ['-P', String(pid)])
      .toString()
      .trim()
      .split('\n')
      .map(Number);
    return direct.flatMap((child) => [child, ...childrenOf(child)]);
  } catch {
    return [];
  }
}

test('a killed node’s task runs again elsewhere; the failed run is free, one result counts, the ledger balances', async () => {
  const region = freshRegion();
  const supply = await supplyIn(region, [{ priceMicros: 300_000 }, { priceMicros: 300_000 }]);
  const jobId = await submit(customer, shellJob(region, workFor(4)));
  const first = await untilRunning(customer, jobId);
  const victim = supply.agents[supply.nodes.findIndex((node) => node.nodeId === first.nodeId)];
  if (victim === undefined) throw new Error('the run is on no node of this test');
  powerCut(victim.cwd);
  const job = await untilFinished(customer, jobId);
  const runs = job.tasks?.[0]?.runs ?? [];
  expect(job.state).toBe('JOB_STATE_SUCCEEDED');
  expect(runs.map((run) => [run.runNumber, run.state])).toEqual([
    [1, 'RUN_STATE_LOST'],
    [2, 'RUN_STATE_SUCCEEDED'],
  ]);
  expect(runs[1]?.nodeId).not.toBe(first.nodeId);
  expect(runs[1]?.leaseId).not.toBe(first.leaseId);
  const statement = await untilSettled(customer, jobId);
  const [lost, won] = [1, 2].map((number) => statement.runs?.find((run) => run.runNumber === number));
  expect(lost?.chargeMicros ?? '0').toBe('0');
  expect(Number(won?.billableMs)).toBeGreaterThanOrEqual(3_900);
  expect(Number(won?.billableMs)).toBeLessThan(8_000);
  expect(BigInt(statement.chargedMicros ?? 0)).toBe(BigInt(won?.chargeMicros ?? 0));
  expect(job.tasks?.[0]?.artifacts).toHaveLength(1);
  expect(await lastingViolations(platform)).toEqual([]);
}, 120_000);

test('FLUSHALL while jobs are queued and running: every job finishes once, no window is charged twice', async () => {
  const region = freshRegion();
  await supplyIn(region, [{ gpus: 2 }]);
  const jobs = await Promise.all(Array.from({ length: 6 }, () => submit(customer, shellJob(region, workFor(1)))));
  const first = jobs[0];
  if (first === undefined) throw new Error('no job');
  await untilRunning(customer, first);
  execFileSync('redis-cli', ['-u', infra.redis.url, 'FLUSHALL']);
  for (const jobId of jobs) {
    const job = await untilFinished(customer, jobId, 90_000);
    expect(job.state).toBe('JOB_STATE_SUCCEEDED');
    expect(job.tasks?.[0]?.runs?.filter((run) => run.state === 'RUN_STATE_SUCCEEDED')).toHaveLength(1);
  }
  for (const jobId of jobs) await untilSettled(customer, jobId);
  expect(await lastingViolations(platform)).toEqual([]);
}, 180_000);
