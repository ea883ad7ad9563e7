/** The first place where two JSON texts differ, in the order of the recomputed one. */
export function firstDifference(published: string, recomputed: string): string {
  let json: unknown;
  try {
    json = JSON.parse(published);
  } catch {
    return 'is not JSON';
  }
  return compare(json, JSON.parse(recomputed), '') ?? 'holds the same values, but not in canonical form';
}

function compare(published: unknown, recomputed: unknown, path: string): string | undefined {
  if (!isBranch(published) || !isBranch(recomputed) || Array.isArray(published) !== Array.isArray(recomputed)) {
    return published === recomputed
      ? undefined
      : `${path || 'file'} published ${brief(published)}, recomputed ${brief(recomputed)}`;
  }
  for (const key of new Set([...Object.keys(recomputed), ...Object.keys(published)])) {
    const at = Array.isArray(recomputed) ? `${path}[${key}]` : `${path}${path && '.'}${key}`;
    const found = compare(own(published, key), own(recomputed, key), at);
    if (found !== undefined) return found;
  }
  return undefined;
}

const isBranch = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const own = (value: Record<string, unknown>, key: string): unknown =>
  Object.hasOwn(value, key) ? value[key] : undefined;
const brief = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 120));
