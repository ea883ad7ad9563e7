import type { Lease } from './lease';
import type { UsageWindow } from './usage';
import { recordOf, usageIdOf } from './usage-record';

const LEASE: Lease = {
  leaseId: 'lease',
  leaseToken: 7n,
  nodeId: 'node',
  organisationId: 'customer',
  providerOrganisationId: 'provider',
  jobId: 'job',
  gpuMilli: 2_500,
  mscu: 1_200,
  startMs: 0,
  expireMs: 1_000_000,
  endMs: undefined,
  lost: false,
};

const aWindow = (over: Partial<UsageWindow> = {}): UsageWindow => ({
  startMs: 60_000,
  endMs: 120_000,
  version: 1,
  agentCumulativeMs: 119_000n,
  billableCumulativeMs: 118_000n,
  final: false,
  estimated: false,
  ...over,
});
const BEFORE = aWindow({ startMs: 0, endMs: 60_000, agentCumulativeMs: 59_500n, billableCumulativeMs: 59_000n });

test('a window’s own share is the difference to the window before it, of all GPUs and their rating', () => {
  expect(recordOf(LEASE, aWindow(), BEFORE)).toMatchObject({
    schedulerMs: 60_000n,
    agentMs: 59_500n,
    billableMs: 59_000n,
    // 59,000 ms × 1,200 mSCU × 2.5 GPUs.
    mscuMs: 177_000_000n,
  });
  expect(recordOf(LEASE, BEFORE, undefined)).toMatchObject({
    schedulerMs: 60_000n,
    agentMs: 59_500n,
    billableMs: 59_000n,
    mscuMs: 177_000_000n,
  });
});

test('a correction can take billable time away, but no agent has counted less than nothing', () => {
  const corrected = aWindow({ agentCumulativeMs: 50_000n, billableCumulativeMs: 59_000n });
  expect(recordOf(LEASE, corrected, BEFORE)).toMatchObject({ agentMs: 0n, billableMs: 0n, mscuMs: 0n });
  expect(recordOf({ ...LEASE, mscu: 0 }, aWindow(), BEFORE).mscuMs).toBe(0n);
});

test('the id is a UUID of version 8 that lease, window and version alone decide', () => {
  const id = usageIdOf('lease', 60_000, 1);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(recordOf(LEASE, aWindow(), BEFORE).usageId).toBe(id);
  const others = [usageIdOf('other', 60_000, 1), usageIdOf('lease', 0, 1), usageIdOf('lease', 60_000, 2)];
  expect(new Set([id, ...others]).size).toBe(4);
});
