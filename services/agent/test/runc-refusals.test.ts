import { readdirSync } from 'node:fs';
import type { RunHandle, RunSpec } from '../src/application/ports';
import { busyboxEntries, putImage } from './support/oci-image';
import { Sandbox } from './support/sandbox';
import { LIMITS } from './support/sandbox-limits';

// Seconds where the machine is free; the limit is for one that is not.
jest.setTimeout(120_000);

describe('what runc is not asked to run, or cannot', () => {
  let sandbox: Sandbox;
  let busybox: string;

  beforeAll(() => {
    sandbox = new Sandbox();
    busybox = putImage(sandbox.blobs, busyboxEntries());
  });
  afterEach(() => {
    expect(sandbox.mountsLeft()).toEqual([]);
    expect(readdirSync(`${sandbox.folder}/sandbox/runs`)).toEqual([]);
  });
  afterAll(() => sandbox.remove());

  it('a command that is not there: typed, and nothing of runc in the log', async () => {
    const { exit, log } = await sandbox.run(busybox, ['/no/such/program']);
    expect(exit).toMatchObject({ reason: 'EXITED', exitCode: 127, startedAtMs: null, logBytes: 0 });
    expect(log).toBe('');
    expect((await sandbox.run(busybox, ['no-such-program'])).exit).toMatchObject({ reason: 'EXITED', exitCode: 127 });
    expect((await sandbox.run(busybox, ['/etc/passwd'])).exit).toMatchObject({ reason: 'EXITED', exitCode: 126 });
  });

  it('a node that cannot start it is to blame itself', async () => {
    const image = await sandbox.driver.prepareImage(busybox, sandbox.blobs);
    const broken = { ...image, location: `${image.location}-gone` };
    const { exit } = await sandbox.run(busybox, ['true'], { image: broken });
    expect(exit).toMatchObject({ reason: 'START_FAILED', startedAtMs: null });
  });

  it('network, and a GPU that runc cannot pass on', async () => {
    await expect(sandbox.start(busybox, ['true'], { network: true })).rejects.toMatchObject({
      reason: 'NETWORK_UNAVAILABLE',
    });
    await expect(sandbox.start(busybox, ['true'], { gpuUuids: ['GPU-1'] })).rejects.toMatchObject({
      reason: 'GPU_PASSTHROUGH_UNAVAILABLE',
    });
  });

  it.each([['../escape'], ['/absolute'], ['a/../../b'], ['a\nb'], ['']])('an input path %j', async (path) => {
    const data = sandbox.blobs.put(Buffer.from('x'));
    await expect(sandbox.start(busybox, ['true'], { inputs: [{ digest: data.digest, path }] })).rejects.toMatchObject({
      reason: 'INPUT_INVALID',
    });
  });

  it('an input with other bytes, with more bytes, twice at one path, or missing', async () => {
    const data = sandbox.blobs.put(Buffer.from('the real bytes'));
    const input = { digest: data.digest, path: 'a' };
    const start = (inputs: RunSpec['inputs'], limits = LIMITS): Promise<RunHandle> =>
      sandbox.start(busybox, ['true'], { inputs, limits });
    await expect(start([input, input])).rejects.toMatchObject({ reason: 'INPUT_INVALID' });
    await expect(start([input, { ...input, path: 'a/b' }])).rejects.toMatchObject({ reason: 'INPUT_INVALID' });
    await expect(start([input, { ...input, path: 'b' }], { ...LIMITS, inputBytes: 20 })).rejects.toMatchObject({
      reason: 'INPUT_INVALID',
    });
    sandbox.blobs.corrupt(data.digest, Buffer.from('other bytes'));
    await expect(start([input])).rejects.toMatchObject({ reason: 'INPUT_INVALID' });
    await expect(start([{ ...input, digest: `sha256:${'0'.repeat(64)}` }])).rejects.toMatchObject({
      reason: 'INPUT_INVALID',
    });
  });
});
