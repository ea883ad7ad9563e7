import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Membership } from '../src/adapters/identity/membership';
import { IdentityStore } from '../src/adapters/identity/node-identity';
import { TestPlatform } from './support/test-platform';

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const LATER = new Date('2100-01-01T00:00:00Z');

let platform: TestPlatform;
let folder: string;

beforeEach(async () => {
  platform = await TestPlatform.start({ heartbeatMs: 1_000, selfFenceMs: 4_500 });
  folder = mkdtempSync(join(tmpdir(), 'daya-membership-'));
});
afterEach(() => {
  platform.stop();
  rmSync(folder, { recursive: true });
});

/** A node whose certificate is always due; every alarm fires when the test says so. */
async function node(stateFolder: string, token: string | null): Promise<{ renewOnce(): Promise<void> }> {
  const alarms: (() => void)[] = [];
  const membership = await Membership.join(
    {
      store: new IdentityStore(stateFolder),
      platform: {
        address: `127.0.0.1:${platform.enrolmentPort}`,
        caCertificate: Buffer.from(platform.authority.pem),
        serverName: 'localhost',
      },
      clock: { now: () => LATER },
      alarms: { after: (_delayMs, fire) => (alarms.push(fire), () => undefined) },
      log,
    },
    token,
  );
  membership.keepRenewed(() => undefined);
  return {
    /** Resolves when the attempt is over: then the next alarm is armed. */
    renewOnce: async () => {
      alarms.shift()?.();
      while (alarms.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}

test('a renewal whose answer was lost is asked for again with the same request, also after a restart', async () => {
  const first = await node(folder, platform.token);
  platform.losesRenewals = true;
  await first.renewOnce();
  await first.renewOnce();
  platform.losesRenewals = false;
  const restarted = await node(folder, null);
  await restarted.renewOnce();
  await restarted.renewOnce();

  const [lost, again, afterRestart, next] = platform.renewals.map((request) => request.toString('hex'));
  expect(again).toBe(lost);
  expect(afterRestart).toBe(lost);
  expect(next).not.toBe(lost);
  expect(platform.generation).toBe(3);
});

test('a copy of the folder asks with a request of its own, so that the platform finds it out', async () => {
  const copy = `${folder}-copy`;
  const original = await node(folder, platform.token);
  cpSync(folder, copy, { recursive: true });
  await original.renewOnce();
  const clone = await node(copy, null);
  await clone.renewOnce();
  rmSync(copy, { recursive: true });

  const [own, cloned] = platform.renewals.map((request) => request.toString('hex'));
  expect(cloned).toBeDefined();
  expect(cloned).not.toBe(own);
});
