import fc from 'fast-check';
import { IMAGE_LIMITS, ImageInvalid, parseImageConfig, parseManifestOrIndex } from './oci-manifest';

const digest = (character: string): string => `sha256:${character.repeat(64)}`;
const bytes = (document: unknown): Uint8Array => Buffer.from(JSON.stringify(document));
const parse = (document: unknown): ReturnType<typeof parseManifestOrIndex> =>
  parseManifestOrIndex(bytes(document), 'amd64', IMAGE_LIMITS);

const LAYER = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: digest('b'), size: 10 };
const MANIFEST = {
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { digest: digest('a'), size: 5 },
  layers: [LAYER],
};

describe('OCI manifest', () => {
  it('reads an OCI and a Docker manifest', () => {
    expect(parse(MANIFEST)).toEqual({
      kind: 'manifest',
      manifest: {
        config: { digest: digest('a'), sizeBytes: 5 },
        layers: [{ digest: digest('b'), sizeBytes: 10, compression: 'gzip' }],
      },
    });
    const docker = {
      ...MANIFEST,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      layers: [{ ...LAYER, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }],
    };
    expect(parse(docker).kind).toBe('manifest');
  });

  it('chooses from an index by processor', () => {
    const manifests = [
      { digest: digest('c'), size: 1, platform: { os: 'linux', architecture: 'arm64' } },
      { digest: digest('d'), size: 1, platform: { os: 'linux', architecture: 'amd64' } },
    ];
    expect(parse({ schemaVersion: 2, manifests })).toEqual({
      kind: 'index',
      manifest: { digest: digest('d'), sizeBytes: 1 },
    });
    expect(() => parse({ schemaVersion: 2, manifests: manifests.slice(0, 1) })).toThrow('no image for linux/amd64');
  });

  it.each<[string, unknown]>([
    ['another version', { ...MANIFEST, schemaVersion: 1 }],
    ['no layers', { ...MANIFEST, layers: [] }],
    ['too many layers', { ...MANIFEST, layers: Array(129).fill(LAYER) }],
    ['too many bytes', { ...MANIFEST, layers: [{ ...LAYER, size: 21 * 2 ** 30 }] }],
    ['a negative size', { ...MANIFEST, layers: [{ ...LAYER, size: -1 }] }],
    ['a fractional size', { ...MANIFEST, layers: [{ ...LAYER, size: 1.5 }] }],
    [
      'a compression that umoci cannot read',
      { ...MANIFEST, layers: [{ ...LAYER, mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' }] },
    ],
    ['a media type from the prototype', { ...MANIFEST, layers: [{ ...LAYER, mediaType: 'constructor' }] }],
    ['a digest that is a path', { ...MANIFEST, config: { digest: 'sha256:../../etc/passwd', size: 5 } }],
    ['an artifact', { ...MANIFEST, mediaType: 'application/vnd.cncf.helm' }],
    ['a list', []],
    ['null', null],
  ])('refuses %s', (_name, document) => expect(() => parse(document)).toThrow(ImageInvalid));

  it('refuses bytes that are not UTF-8 JSON, or too many of them', () => {
    expect(() => parseManifestOrIndex(Buffer.from([0xff, 0xfe]), 'amd64', IMAGE_LIMITS)).toThrow(ImageInvalid);
    expect(() =>
      parseManifestOrIndex(new Uint8Array(IMAGE_LIMITS.maxManifestBytes + 1), 'amd64', IMAGE_LIMITS),
    ).toThrow(ImageInvalid);
  });

  it('property: any JSON is a manifest, an index or ImageInvalid', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseManifestOrIndex(Buffer.from(text), 'amd64', IMAGE_LIMITS);
        } catch (error) {
          expect(error).toBeInstanceOf(ImageInvalid);
        }
      }),
    );
  });
});

describe('image configuration', () => {
  it('keeps environment, entrypoint and command and nothing else', () => {
    const config = {
      os: 'linux',
      config: { Env: ['A=1'], Entrypoint: ['sh'], Cmd: null, User: 'root', Volumes: { '/': {} } },
    };
    expect(parseImageConfig(bytes(config), IMAGE_LIMITS)).toEqual({ env: ['A=1'], entrypoint: ['sh'], command: [] });
    expect(parseImageConfig(bytes({ os: 'linux' }), IMAGE_LIMITS)).toEqual({ env: [], entrypoint: [], command: [] });
  });

  it.each<[string, unknown]>([
    ['another system', { os: 'windows' }],
    ['odd lists', { os: 'linux', config: { Env: 'A=1' } }],
    ['a zero byte', { os: 'linux', config: { Cmd: ['a\0b'] } }],
  ])('refuses %s', (_name, document) =>
    expect(() => parseImageConfig(bytes(document), IMAGE_LIMITS)).toThrow(ImageInvalid),
  );
});
