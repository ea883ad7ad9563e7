import { claim, once, onceAs, type Codec } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { RequestKey, Requests } from '../../application/ports';

export class PostgresRequests implements Requests {
  constructor(private readonly em: EntityManager) {}

  claim<T>(key: RequestKey, answer: T): Promise<void> {
    return claim(this.em, stored(key), answer, exactJson<T>());
  }

  once<T>(key: RequestKey, work: () => Promise<T>): Promise<T> {
    return once(this.em, stored(key), work, exactJson<T>());
  }

  onceAs<T>(key: RequestKey, answer: T, work: () => Promise<void>): Promise<T> {
    return onceAs(this.em, stored(key), answer, work, exactJson<T>());
  }
}

const stored = ({ scope, method, requestId, content }: RequestKey) => ({
  scope,
  method,
  requestId,
  fingerprint: JSON.stringify(content.map(String)),
});

/** JSON that also keeps what plain JSON loses: bigint, Date and bytes. Use cases answer with nothing else. */
function exactJson<T>(): Codec<T> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value, tag)),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8'), untag) as T,
  };
}

type Tagged = { readonly $bigint: string } | { readonly $date: string } | { readonly $bytes: string };

// A Date has become a string before the replacer sees it as `value`; `this` still holds the Date.
function tag(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key];
  if (typeof original === 'bigint') return { $bigint: original.toString() } satisfies Tagged;
  if (original instanceof Date) return { $date: original.toISOString() } satisfies Tagged;
  if (original instanceof Uint8Array) return { $bytes: Buffer.from(original).toString('base64') } satisfies Tagged;
  return value;
}

function untag(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$bigint' in value) return BigInt(String(value.$bigint));
  if ('$date' in value) return new Date(String(value.$date));
  if ('$bytes' in value) return new Uint8Array(Buffer.from(String(value.$bytes), 'base64'));
  return value;
}
