import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { BlobMissing, BlobSource } from '../../src/application/ports';
import { tarOf } from './tar';
import type { TarEntry } from './tar';

/** Blobs in memory, named by their content as the platform's store does. */
export class MemoryBlobs extends BlobSource {
  private readonly blobs = new Map<string, Uint8Array>();

  put(bytes: Uint8Array): { readonly digest: string; readonly size: number } {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    this.blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  /** Other bytes under a digest, as a broken or hostile store would answer. */
  corrupt(digest: string, bytes: Uint8Array): void {
    this.blobs.set(digest, bytes);
  }

  async *fetch(blob: { readonly digest: string }): AsyncGenerator<Uint8Array> {
    const bytes = this.blobs.get(blob.digest);
    if (bytes === undefined) throw new BlobMissing(`no blob ${blob.digest}`);
    for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }
}

/** Puts an image of one gzip layer into the store and returns its digest. */
export function putImage(blobs: MemoryBlobs, entries: readonly TarEntry[], config: object = {}): string {
  const tar = tarOf(entries);
  const layer = blobs.put(gzipSync(tar, { level: 1 }));
  const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  const configBlob = putJson(blobs, {
    architecture: process.arch === 'x64' ? 'amd64' : 'arm64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  return putJson(blobs, {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...configBlob },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...layer }],
  }).digest;
}

export function putJson(blobs: MemoryBlobs, document: object): { readonly digest: string; readonly size: number } {
  return blobs.put(Buffer.from(JSON.stringify(document)));
}

/** busybox as /bin/busybox with a link for each applet that the tests call. */
export function busyboxEntries(): readonly TarEntry[] {
  const applets = [
    'sh',
    'cat',
    'dd',
    'echo',
    'env',
    'false',
    'head',
    'id',
    'ls',
    'mkdir',
    'ping',
    'sleep',
    'tail',
    'touch',
    'true',
    'yes',
    'ln',
    'kill',
    'ip',
    'nc',
    'mount',
    'grep',
    'printf',
    'mkfifo',
  ];
  return [
    { path: 'bin', folder: true },
    { path: 'etc', folder: true },
    { path: 'etc/passwd', mode: 0o644, data: Buffer.from('root:x:0:0::/:/bin/sh\n') },
    { path: 'bin/busybox', data: readFileSync('/bin/busybox') },
    ...applets.map((name) => ({ path: `bin/${name}`, linkTo: 'busybox' })),
  ];
}
