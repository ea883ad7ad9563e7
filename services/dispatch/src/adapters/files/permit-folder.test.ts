import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LeasePermit } from '../../domain/lease-permit';
import { PermitFolder } from './permit-folder';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'permits-'));
});
afterEach(() => rm(folder, { recursive: true }));

const aPermit = (nodeId = 'n'): LeasePermit => ({
  leaseId: randomUUID(),
  nodeId,
  leaseToken: 2n ** 53n + 1n,
  organisationId: randomUUID(),
  manifestSha256: undefined,
  inputs: [],
  ended: false,
});

test('whoever looks for a permit that is being kept waits for it; a later process finds it', async () => {
  const permits = new PermitFolder(folder);
  const permit = aPermit();
  void permits.keep(permit);
  expect(await permits.find(permit.leaseId)).toEqual(permit);
  expect(await new PermitFolder(folder).find(permit.leaseId)).toEqual(permit);
});

test('the first permit of a lease stays, also when two are kept at once', async () => {
  const permits = new PermitFolder(folder);
  const permit = aPermit();
  const second = permits.keep({ ...permit, nodeId: 'other' });
  await Promise.all([permits.keep(permit), second, permits.kept(permit.leaseId)]);
  await permits.keep(permit);
  expect(await new PermitFolder(folder).find(permit.leaseId)).toMatchObject({ nodeId: 'other' });
});

test('a permit that cannot be written is not kept, and says so to all who wait', async () => {
  const permits = new PermitFolder(join(folder, 'file'));
  await rm(folder, { recursive: true });
  await writeFile(folder, '');
  const permit = aPermit();
  const kept = permits.keep(permit);
  await expect(permits.kept(permit.leaseId)).rejects.toThrow();
  await expect(kept).rejects.toThrow();
  expect(await permits.find(permit.leaseId).catch(() => undefined)).toBeUndefined();
});
