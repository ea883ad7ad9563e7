const MAX_PATH_BYTES = 512;
const MAX_SEGMENT_BYTES = 255;
const MAX_DEPTH = 32;

/**
 * Splits a relative path of a customer into segments that cannot leave their folder; null when it could, or when it
 * holds control characters (they would end up in logs and headers).
 */
export function safeSegments(path: string): readonly string[] | null {
  if (path.length === 0 || Buffer.byteLength(path) > MAX_PATH_BYTES) return null;
  const segments = path.split('/');
  if (segments.length > MAX_DEPTH) return null;
  return segments.every(isSafeSegment) ? segments : null;
}

/** Segments below `root` ("/scratch") of an absolute path in it; empty for the root itself, null when it is elsewhere. */
export function segmentsBelow(root: string, path: string): readonly string[] | null {
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
  if (trimmed === root) return [];
  return trimmed.startsWith(`${root}/`) ? safeSegments(trimmed.slice(root.length + 1)) : null;
}

function isSafeSegment(segment: string): boolean {
  if (segment === '' || segment === '.' || segment === '..') return false;
  // A replacement character means that the file system's bytes were not UTF-8: the name could not be found again.
  return Buffer.byteLength(segment) <= MAX_SEGMENT_BYTES && !/[\p{Cc}\p{Cs}\uFFFD\\]/u.test(segment);
}
