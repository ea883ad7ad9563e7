// Puts an OCI layout's blobs into the platform's own store, so that jobs can name the image by its digest.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export async function uploadImage(client, { layoutDir }) {
  const folder = join(layoutDir, 'blobs/sha256');
  for (const sha256 of await readdir(folder)) await client.upload(sha256, join(folder, sha256));
}
