import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { BlobSource } from '../../application/ports';

/** A blob whose bytes are not what its digest or its size says. */
export class BlobMismatch extends Error {}

/** Streams a blob into a new file while it checks the content; throws BlobMismatch, and the file is then not to be used. */
export async function downloadBlob(
  blobs: BlobSource,
  blob: { readonly digest: string; readonly maxBytes: number; readonly mode: number },
  path: string,
): Promise<number> {
  const file = await open(path, 'wx', blob.mode);
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of blobs.fetch({ digest: blob.digest })) {
      bytes += chunk.length;
      if (bytes > blob.maxBytes) throw new BlobMismatch(`blob ${blob.digest} has more than ${blob.maxBytes} bytes`);
      hash.update(chunk);
      await writeAll(file, chunk);
    }
    if (`sha256:${hash.digest('hex')}` !== blob.digest) throw new BlobMismatch(`blob ${blob.digest} has other content`);
    return bytes;
  } finally {
    await file.close();
  }
}

async function writeAll(
  file: { write(data: Uint8Array): Promise<{ bytesWritten: number }> },
  chunk: Uint8Array,
): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk.subarray(at))).bytesWritten;
}
