import fc from 'fast-check';
import { ImageInvalid } from '../../domain/oci-manifest';
import { TarCount } from './tar-count';
import { tarOf } from '../../../test/support/tar';

describe('what a tar would unpack to', () => {
  const tar = tarOf([
    { path: 'folder', folder: true },
    { path: 'folder/a', data: Buffer.alloc(1_000) },
    { path: 'folder/b', data: Buffer.alloc(512) },
    { path: 'link', linkTo: 'folder/a' },
  ]);

  it('property: is counted the same however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 }), (sizes) => {
        const count = new TarCount(1 << 20, 100);
        for (let at = 0, step = 0; at < tar.length; step += 1) {
          const size = sizes[step % sizes.length] ?? 1;
          count.push(tar.subarray(at, at + size));
          at += size;
        }
        expect(count.entries).toBe(4);
        expect(count.bytes).toBe(tar.length);
      }),
    );
  });

  it('is refused beyond either limit', () => {
    expect(() => new TarCount(tar.length - 1, 100).push(tar)).toThrow(ImageInvalid);
    expect(() => new TarCount(1 << 20, 3).push(tar)).toThrow(ImageInvalid);
  });
});
