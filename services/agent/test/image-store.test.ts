import { existsSync, lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { BlobMissing } from '../src/application/ports';
import { IMAGE_LIMITS, ImageInvalid } from '../src/domain/oci-manifest';
import { ImageStore } from '../src/adapters/runc/image-store';
import { busyboxEntries, MemoryBlobs, putImage, putJson } from './support/oci-image';
import { Sandbox } from './support/sandbox';
import { tarOf } from './support/tar';

// Seconds where the machine is free; the limit is for one that is not.
jest.setTimeout(120_000);

describe('image store', () => {
  let sandbox: Sandbox;
  let folder: string;
  let store: ImageStore;
  beforeAll(() => {
    sandbox = new Sandbox();
    folder = join(sandbox.folder, 'store');
    store = new ImageStore(folder, IMAGE_LIMITS);
  });
  afterEach(() => expect(readdirSync(folder).filter((name) => name.startsWith('unpacking-'))).toEqual([]));
  afterAll(() => sandbox.remove());

  const refused = async (digest: string): Promise<void> => {
    await expect(store.prepare(digest, sandbox.blobs)).rejects.toBeInstanceOf(ImageInvalid);
  };

  it('unpacks once, also when asked twice at once and by two agents', async () => {
    const digest = putImage(sandbox.blobs, busyboxEntries());
    const [first, second, third] = await Promise.all([
      store.prepare(digest, sandbox.blobs),
      store.prepare(digest, sandbox.blobs),
      new ImageStore(folder, IMAGE_LIMITS).prepare(digest, sandbox.blobs),
    ]);
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    expect(readdirSync(first?.location ?? '').sort()).toEqual([
      'bin',
      'dev',
      'etc',
      'inputs',
      'proc',
      'scratch',
      'tmp',
    ]);
  });

  it('takes over from an agent that died while it unpacked', async () => {
    const digest = putImage(sandbox.blobs, [{ path: 'orphan', data: Buffer.from('x') }]);
    const lock = join(folder, `${digest.slice('sha256:'.length)}.lock`);
    writeFileSync(lock, '1 0');
    await store.prepare(digest, sandbox.blobs);
    expect(existsSync(lock)).toBe(false);
  });

  it('takes set-user-id bits away', async () => {
    const digest = putImage(sandbox.blobs, [
      ...busyboxEntries(),
      { path: 'bin/su', mode: 0o6755, data: Buffer.from('#!/bin/sh\n') },
    ]);
    const { location } = await store.prepare(digest, sandbox.blobs);
    expect(lstatSync(join(location, 'bin/su')).mode & 0o7777).toBe(0o755);
  });

  it('refuses an image whose mount point is a link out of it', async () => {
    await refused(putImage(sandbox.blobs, [{ path: 'scratch', linkTo: '/etc' }]));
  });

  it('refuses other bytes than the digest names, in manifest and layer', async () => {
    const digest = putImage(sandbox.blobs, [{ path: 'only', data: Buffer.from('here') }]);
    sandbox.blobs.corrupt(digest, Buffer.from('{}'));
    await refused(digest);
    const tar = tarOf([{ path: 'other', data: Buffer.from('layer') }]);
    const layer = sandbox.blobs.put(gzipSync(tar));
    sandbox.blobs.corrupt(layer.digest, Buffer.from('short'));
    const config = putJson(sandbox.blobs, { os: 'linux', rootfs: { type: 'layers', diff_ids: [layer.digest] } });
    const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...layer }];
    await refused(putJson(sandbox.blobs, { schemaVersion: 2, config, layers }).digest);
  });

  it('refuses a layer that is no archive, or not the one of its diff id', async () => {
    const config = putJson(sandbox.blobs, {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
    });
    for (const bytes of [Buffer.from('not gzip'), gzipSync(tarOf([{ path: 'a', data: Buffer.from('a') }]))]) {
      const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...sandbox.blobs.put(bytes) }];
      await refused(putJson(sandbox.blobs, { schemaVersion: 2, config, layers }).digest);
    }
  });

  it('refuses a bomb before it is unpacked: by bytes and by files', async () => {
    const digest = putImage(sandbox.blobs, [
      { path: 'zeros', data: Buffer.alloc(4 << 20) },
      { path: 'b', data: Buffer.from('b') },
    ]);
    const small = (limits: object): ImageStore => new ImageStore(folder, { ...IMAGE_LIMITS, ...limits });
    await expect(small({ maxUnpackedBytes: 1 << 20 }).prepare(digest, sandbox.blobs)).rejects.toThrow(
      'unpacks to more than',
    );
    await expect(small({ maxEntries: 1 }).prepare(digest, sandbox.blobs)).rejects.toThrow('more than 1 files');
  });

  it('lends a kept image only to a lease that reaches it by itself', async () => {
    const digest = putImage(sandbox.blobs, busyboxEntries());
    await store.prepare(digest, sandbox.blobs);
    await expect(store.prepare(digest, new MemoryBlobs())).rejects.toBeInstanceOf(BlobMissing);
  });

  it('is not spoiled for others by a lease that lost its way', async () => {
    const digest = putImage(sandbox.blobs, [{ path: 'late', data: Buffer.from('x') }]);
    const manifestOnly = new MemoryBlobs();
    for await (const chunk of sandbox.blobs.fetch({ digest })) manifestOnly.put(chunk);
    const [lost, found] = await Promise.allSettled([
      store.prepare(digest, manifestOnly),
      store.prepare(digest, sandbox.blobs),
    ]);
    expect(lost.status === 'rejected' && lost.reason).toBeInstanceOf(BlobMissing);
    expect(found.status).toBe('fulfilled');
  });

  it('says which blob is missing', async () => {
    await expect(store.prepare(`sha256:${'f'.repeat(64)}`, sandbox.blobs)).rejects.toBeInstanceOf(BlobMissing);
    await refused('sha256:../../../etc');
  });
});
