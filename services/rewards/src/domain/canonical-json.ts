/** What a published file may hold: no floats, so integers travel as decimal strings. */
export type JsonValue =
  string | boolean | null | bigint | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** The order of UTF-8 bytes; JavaScript's own order differs from U+E000 on. */
export const byUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));

/**
 * One text per value: keys sorted by UTF-8 bytes, no blanks, integers as decimal strings. Throws a plain Error on a JS
 * number: a bug, for it could be a float.
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === 'bigint') return `"${value}"`;
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object') throw new Error(`canonical JSON has no ${typeof value}`);
  const object = value as { readonly [name: string]: JsonValue };
  const members = Object.keys(object)
    .sort(byUtf8)
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(object[name] as JsonValue)}`);
  return `{${members.join(',')}}`;
}

/** A file's text: canonical JSON and one line end. */
export const canonicalFile = (value: JsonValue): string => `${canonicalJson(value)}\n`;
