import type { Codec } from '@daya/postgres';

/** Answers as JSON, with dates and bigints in objects of their own: `{"$date": …}`, `{"$bigint": …}`. */
export function answerCodec<T>(): Codec<T> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(pack(value))),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8'), unpack) as T,
  };
}

/** A request's content in one canonical form. */
export const fingerprintOf = (content: readonly unknown[]): string => JSON.stringify(pack(content));

function pack(value: unknown): unknown {
  if (typeof value === 'bigint') return { $bigint: value.toString() };
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.getTime() };
  if (Array.isArray(value)) return value.map(pack);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, pack(inner)]));
}

function unpack(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$bigint' in value) return BigInt(value.$bigint as string);
  return '$date' in value ? new Date(value.$date as number) : value;
}
