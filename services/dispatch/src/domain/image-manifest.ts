import { MANIFEST_BLOBS_MAX, MANIFEST_BYTES_MAX } from './limits';

/** The blobs that a manifest (config, layers) or an index (manifests) names. */
export interface ManifestParts {
  readonly manifests: readonly string[];
  readonly blobs: readonly string[];
}

const NOTHING: ManifestParts = { manifests: [], blobs: [] };
const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** Reads customers' bytes: whatever is no manifest names nothing, and is the agent's to complain about. */
export function partsOfManifest(bytes: Uint8Array): ManifestParts {
  if (bytes.length > MANIFEST_BYTES_MAX) return NOTHING;
  const document = parse(bytes);
  if (document === undefined) return NOTHING;
  const layers = shasOf(document['layers']);
  const config = shasOf([document['config']]);
  return { manifests: shasOf(document['manifests']), blobs: [...config, ...layers] };
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function shasOf(list: unknown): readonly string[] {
  if (!Array.isArray(list) || list.length > MANIFEST_BLOBS_MAX) return [];
  return list.flatMap((entry: unknown) => {
    const digest = typeof entry === 'object' && entry !== null ? (entry as { digest?: unknown }).digest : undefined;
    const sha256 = typeof digest === 'string' ? DIGEST.exec(digest)?.[1] : undefined;
    return sha256 === undefined ? [] : [sha256];
  });
}
