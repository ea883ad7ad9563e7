const PREFIX = 'sha256:';

/** The protos carry bare hexadecimal digits, OCI carries a prefix. */
export function toDigest(hex: string): string {
  return `${PREFIX}${hex}`;
}

export function hexOf(digest: string): string {
  return digest.startsWith(PREFIX) ? digest.slice(PREFIX.length) : digest;
}
