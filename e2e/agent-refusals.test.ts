import { randomBytes, randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { ProviderServiceService } from '@daya/proto/registry';
import { LeaseReportOutcome, type LeaseOffer } from '@daya/proto/scheduler';
import { readPlatform } from './hostile/platform';
import type { ReportBody } from './hostile/puppet-agent';
import {
  aTick,
  certificatesOf,
  deliver,
  fetchBlob,
  isDropped,
  refusal,
  refusedTicks,
  renew,
  storedFiles,
} from './support/agent-calls';
import { lastingViolations } from './support/auditors';
import { businessState, type BusinessState } from './support/business-state';
import { freshRegion, until } from './support/market';
import { attachPlatform, type Platform } from './support/platform';
import { HELD, ScriptedWorld, type ScriptedAgent } from './support/scripted-agent';

const PATIENCE_MS = 30_000;
const BOOT_MS = 120_000;

let platform: Platform;
let world: ScriptedWorld;
let victim: ScriptedAgent;
let thief: ScriptedAgent;
let parties: string[];

beforeAll(async () => {
  platform = attachPlatform();
  world = new ScriptedWorld(readPlatform(), freshRegion());
  victim = await world.rented();
  thief = await world.another();
  parties = [(await world.customer()).organisationId, (await world.provider()).organisationId];
}, BOOT_MS);

afterAll(() => world.close());

/** A job that runs on the victim's node until it is told to end. */
async function heldLease(): Promise<LeaseOffer> {
  const jobId = await world.submit(await world.spec(HELD));
  await until(
    () => Promise.resolve(victim.isRunning(jobId)),
    (isRunning) => isRunning,
    PATIENCE_MS,
  );
  const offer = victim.offers.get(jobId);
  if (offer === undefined) throw new Error('the lease was not offered');
  // Billing hears of the start a moment later.
  await until(
    async () => names(await stateOf(offer), 'billing.billed_lease', offer.leaseId),
    (isBilled) => isBilled,
    PATIENCE_MS,
  );
  return offer;
}

const stateOf = ({ jobId, leaseId }: LeaseOffer): Promise<BusinessState> =>
  businessState(platform.databases, { jobId, leaseId, organisationIds: parties });

const names = (state: BusinessState, table: string, id: string): boolean =>
  state[table]?.some((row) => row.includes(id)) === true;

/** Ends the job as an honest agent does, and waits until nothing more happens to it: it is invoiced and rewards has its charge. */
async function settle(offer: LeaseOffer): Promise<BusinessState> {
  await victim.end(offer.jobId, 50n);
  let [before, state] = [await stateOf(offer), await stateOf(offer)];
  await until(
    async () => {
      [before, state] = [state, await stateOf(offer)];
      const isSettled = names(state, 'billing.invoice', offer.jobId) && names(state, 'rewards.charge', offer.jobId);
      return isSettled && JSON.stringify(before) === JSON.stringify(state);
    },
    (isQuiet) => isQuiet,
    PATIENCE_MS,
  );
  return state;
}

const exited: ReportBody = {
  $case: 'exited',
  value: { exitCode: 0, reason: 'EXITED', cumulativeMs: 1n, artifacts: [] },
};

test('an agent with another agent’s lease gets nothing, says nothing that counts, and does not disturb its holder', async () => {
  const lease = await heldLease();
  const [before, stored] = [await stateOf(lease), storedFiles(platform)];
  const reports: ReportBody[] = [
    exited,
    { $case: 'running', value: {} },
    { $case: 'refused', value: { reason: 'BUSY' } },
  ];
  for (const report of reports)
    expect(await thief.report(lease, report)).toMatchObject({
      outcome: LeaseReportOutcome.REFUSED,
      reason: 'LEASE_UNKNOWN',
    });
  const notFound = { code: status.NOT_FOUND, reason: 'LEASE_NOT_FOUND' };
  expect(await refusal(thief.upload(lease, randomBytes(32)))).toEqual(notFound);
  expect(await refusal(fetchBlob(thief, lease))).toEqual(notFound);
  await isDropped(platform, 'log', 'LEASE_NOT_FOUND', () => {
    const { leaseId, leaseToken } = lease;
    const chunk = { leaseId, leaseToken, offsetBytes: 0n, data: Buffer.from('not mine\n'), cut: false, end: false };
    thief.say({ $case: 'log', value: chunk });
  });
  // Its own key over its own name: a valid block about a lease that is not its own.
  await deliver(thief, thief.signed([aTick(lease, 3_600_000n)]));
  expect(await refusedTicks(platform, thief, lease, 1)).toEqual(['NOT_THIS_NODE']);
  // Its own key over the other's name, and the other's name on its own stream.
  await isDropped(platform, 'usage', 'BLOCK_OF_ANOTHER_NODE', () => {
    thief.say({ $case: 'usage', value: thief.signed([aTick(lease, 3_600_000n)], { nodeId: victim.nodeId }) });
  });
  await isDropped(platform, 'usage', 'SIGNATURE_INVALID', () => {
    const signed = victim.signed([], { ticks: [aTick(lease, 3_600_000n)] });
    victim.say({ $case: 'usage', value: { ...signed, signature: thief.signature(signed.block) } });
  });
  expect(await stateOf(lease)).toEqual(before);
  expect(storedFiles(platform)).toEqual(stored);
  expect((await settle(lease))['scheduler.run']?.[0]).toContain('"SUCCEEDED"');
}, 120_000);

test('a heartbeat that names another agent’s lease does not renew it: the sender is told to stop', async () => {
  const lease = await heldLease();
  const before = await stateOf(lease);
  const { leaseId, leaseToken } = lease;
  thief.say({
    $case: 'heartbeat',
    value: { sequence: 1_000_000n, leases: [{ leaseId, leaseToken }], draining: false },
  });
  await until(
    () => Promise.resolve(thief.heard),
    (heard) => heard.some((reply) => reply.$case === 'stop' && reply.value.leaseId === leaseId),
    PATIENCE_MS,
  );
  const renewed = thief.heard.flatMap((reply) => (reply.$case === 'heartbeatAck' ? reply.value.renewedLeaseIds : []));
  expect(renewed).not.toContain(leaseId);
  expect(victim.heard.some((reply) => reply.$case === 'stop' && reply.value.leaseId === leaseId)).toBe(false);
  expect(await stateOf(lease)).toEqual(before);
  await settle(lease);
  // It has used up its sequence: a new stream counts from the start.
  await thief.start();
}, 120_000);

test('the holder itself under a stale token: refused as stale everywhere, its time counts nothing', async () => {
  const lease = await heldLease();
  const before = await stateOf(lease);
  const stale = { leaseId: lease.leaseId, leaseToken: lease.leaseToken - 1n };
  expect(stale.leaseToken).toBeGreaterThan(0n);
  expect(await victim.report(stale, exited)).toMatchObject({
    outcome: LeaseReportOutcome.STALE,
    reason: 'TOKEN_STALE',
  });
  const precondition = { code: status.FAILED_PRECONDITION, reason: 'LEASE_TOKEN_STALE' };
  expect(await refusal(victim.upload(stale, randomBytes(32)))).toEqual(precondition);
  expect(await refusal(fetchBlob(victim, stale))).toEqual(precondition);
  await deliver(victim, victim.signed([aTick(stale, 3_600_000n)]));
  expect(await refusedTicks(platform, victim, lease, 1)).toEqual(['STALE_TOKEN']);
  expect(await stateOf(lease)).toEqual(before);
  const settled = await settle(lease);
  expect(await victim.report(lease, exited)).toMatchObject({
    outcome: LeaseReportOutcome.STALE,
    reason: 'LEASE_ENDED',
  });
  expect(await refusal(victim.upload(lease, randomBytes(32)))).toEqual({
    code: status.FAILED_PRECONDITION,
    reason: 'LEASE_ENDED',
  });
  expect(await stateOf(lease)).toEqual(settled);
}, 120_000);

test('a replayed tick changes nothing; another one in its place, or a counter that goes back, is refused and recorded', async () => {
  const lease = await heldLease();
  const bootId = randomUUID();
  const honest = victim.signed([aTick(lease, 50n)], { bootId, firstSequence: 1n });
  await deliver(victim, honest);
  const settled = await settle(lease);
  for (let time = 0; time < 3; time += 1) await deliver(victim, honest);
  await deliver(victim, victim.signed([aTick(lease, 3_600_000n)], { bootId, firstSequence: 1n }));
  await deliver(victim, victim.signed([aTick(lease, 10n)], { bootId, firstSequence: 2n }));
  // The stream of blocks is in order: when the last is judged, the replays before it are.
  expect(await refusedTicks(platform, victim, lease, 2)).toEqual(['COUNTER_WENT_BACK', 'SEQUENCE_REUSED']);
  expect(await stateOf(lease)).toEqual(settled);
}, 120_000);

test('a revoked certificate: the open stream ends within five seconds, and nothing opens with it again', async () => {
  const lease = await heldLease();
  const settled = await settle(lease);
  const { key, nodeId } = await world.node();
  const revokedMs = Date.now();
  await world.as('provider', 'registry', ProviderServiceService, (client, options) =>
    client.revokeNode({ requestId: randomUUID(), nodeId, reason: 'LOST_KEY' }, options),
  );
  await until(
    () => Promise.resolve(victim.failure),
    (failure) => failure !== undefined,
    PATIENCE_MS,
  );
  expect(Date.now() - revokedMs).toBeLessThan(5_000);
  const revoked = { code: status.UNAUTHENTICATED, reason: 'CERTIFICATE_REVOKED' };
  expect(victim.failure).toMatchObject(revoked);
  const certificates = await certificatesOf(platform, nodeId);
  void victim.start();
  await until(
    () => Promise.resolve(victim.failure),
    (failure) => failure !== undefined,
    PATIENCE_MS,
  );
  expect(victim.failure).toMatchObject(revoked);
  expect(await refusal(victim.upload(lease, randomBytes(32)))).toEqual(revoked);
  expect(await refusal(fetchBlob(victim, lease))).toEqual(revoked);
  expect(await refusal(renew(world, { nodeId, key }))).toEqual({
    code: status.FAILED_PRECONDITION,
    reason: 'NODE_REVOKED',
  });
  expect(await certificatesOf(platform, nodeId)).toEqual(certificates);
  expect(await stateOf(lease)).toEqual(settled);
}, 120_000);

test('after all of it every invariant holds', async () => {
  expect(await lastingViolations(platform)).toEqual([]);
}, 60_000);
