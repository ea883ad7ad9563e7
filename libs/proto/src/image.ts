import { readFileSync } from 'node:fs';
import { join } from 'node:path';

let image: Uint8Array | undefined;

/** The FileDescriptorSet of every proto with its imports, as `buf build` wrote it: for reflection, OpenAPI and generated tests. */
export function descriptorImage(): Uint8Array {
  image ??= readFileSync(join(__dirname, '..', 'image.binpb'));
  return image;
}
