/** A blob named by its content. */
export interface BlobRef {
  /** `sha256:` and 64 lower-case hex digits. */
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface OciLayer extends BlobRef {
  readonly compression: 'none' | 'gzip';
}

export interface OciManifest {
  readonly config: BlobRef;
  readonly layers: readonly OciLayer[];
}

/** What of an image's own configuration a run uses; the user and the volumes of an image are ignored on purpose. */
export interface ImageConfig {
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

export interface ImageLimits {
  readonly maxManifestBytes: number;
  readonly maxConfigBytes: number;
  readonly maxLayers: number;
  readonly maxCompressedBytes: number;
  readonly maxUnpackedBytes: number;
  readonly maxEntries: number;
}

export const IMAGE_LIMITS: ImageLimits = {
  maxManifestBytes: 1 << 20,
  maxConfigBytes: 1 << 20,
  maxLayers: 128,
  maxCompressedBytes: 20 * 2 ** 30,
  maxUnpackedBytes: 40 * 2 ** 30,
  maxEntries: 2_000_000,
};

/** An image that can never run here, whoever asks again. The message is for the customer. */
export class ImageInvalid extends Error {
  readonly reason = 'IMAGE_INVALID';
}

const LAYER_COMPRESSION: ReadonlyMap<unknown, OciLayer['compression']> = new Map([
  ['application/vnd.oci.image.layer.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
]);
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const DIGEST = /^sha256:[0-9a-f]{64}$/;

export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && DIGEST.test(value);
}

/** Reads the bytes behind an image digest: a manifest, or an index that names the manifest of `architecture`. Throws ImageInvalid. */
export function parseManifestOrIndex(
  bytes: Uint8Array,
  architecture: string,
  limits: ImageLimits,
):
  | { readonly kind: 'manifest'; readonly manifest: OciManifest }
  | { readonly kind: 'index'; readonly manifest: BlobRef } {
  const document = parseObject(bytes, limits.maxManifestBytes, 'manifest');
  if (document['schemaVersion'] !== 2) throw new ImageInvalid('the manifest is not of schema version 2');
  if (isOneOf(INDEX_TYPES, document['mediaType']) || Array.isArray(document['manifests'])) {
    return { kind: 'index', manifest: chooseFromIndex(document, architecture, limits) };
  }
  if (document['mediaType'] !== undefined && !isOneOf(MANIFEST_TYPES, document['mediaType'])) {
    throw new ImageInvalid('the digest does not name an image manifest');
  }
  const layers = list(document['layers'], 'layers', limits.maxLayers).map(toLayer);
  if (layers.length === 0) throw new ImageInvalid('the image has no layers');
  const compressedBytes = layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
  if (compressedBytes > limits.maxCompressedBytes) throw new ImageInvalid(`the layers have ${compressedBytes} bytes`);
  return {
    kind: 'manifest',
    manifest: { config: toBlobRef(document['config'], 'config', limits.maxConfigBytes), layers },
  };
}

/** Reads an image configuration. Throws ImageInvalid. */
export function parseImageConfig(bytes: Uint8Array, limits: ImageLimits): ImageConfig {
  const document = parseObject(bytes, limits.maxConfigBytes, 'configuration');
  if (document['os'] !== 'linux') throw new ImageInvalid('the image is not for Linux');
  const config = isObject(document['config']) ? document['config'] : {};
  return {
    env: strings(config['Env']),
    entrypoint: strings(config['Entrypoint']),
    command: strings(config['Cmd']),
  };
}

function chooseFromIndex(document: Record<string, unknown>, architecture: string, limits: ImageLimits): BlobRef {
  const fitting = list(document['manifests'], 'manifests', limits.maxLayers).find((entry) => {
    const platform = isObject(entry) && isObject(entry['platform']) ? entry['platform'] : {};
    return platform['os'] === 'linux' && platform['architecture'] === architecture;
  });
  if (fitting === undefined) throw new ImageInvalid(`the index has no image for linux/${architecture}`);
  return toBlobRef(fitting, 'manifest', limits.maxManifestBytes);
}

function toLayer(value: unknown): OciLayer {
  const mediaType = isObject(value) ? value['mediaType'] : undefined;
  const compression = LAYER_COMPRESSION.get(mediaType);
  if (compression === undefined) throw new ImageInvalid('a layer has a media type that this node cannot unpack');
  return { ...toBlobRef(value, 'layer', Number.MAX_SAFE_INTEGER), compression };
}

function toBlobRef(value: unknown, what: string, maxBytes: number): BlobRef {
  if (!isObject(value) || !isDigest(value['digest'])) throw new ImageInvalid(`the ${what} has no sha256 digest`);
  const sizeBytes = value['size'];
  if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > maxBytes) {
    throw new ImageInvalid(`the ${what} has a size out of range`);
  }
  return { digest: value['digest'], sizeBytes };
}

function parseObject(bytes: Uint8Array, maxBytes: number, what: string): Record<string, unknown> {
  if (bytes.length > maxBytes) throw new ImageInvalid(`the ${what} has more than ${maxBytes} bytes`);
  try {
    const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isObject(parsed)) return parsed;
  } catch {
    throw new ImageInvalid(`the ${what} is not JSON`);
  }
  throw new ImageInvalid(`the ${what} is not a JSON object`);
}

function list(value: unknown, what: string, maxLength: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > maxLength)
    throw new ImageInvalid(`the list of ${what} is missing or longer than ${maxLength}`);
  return value;
}

function strings(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (
    !Array.isArray(value) ||
    value.length > 1_000 ||
    !value.every((item) => typeof item === 'string' && !item.includes('\0'))
  ) {
    throw new ImageInvalid('the image configuration has a malformed list');
  }
  return value as readonly string[];
}

function isOneOf(allowed: readonly string[], value: unknown): boolean {
  return typeof value === 'string' && allowed.includes(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
