import { createHash } from 'node:crypto';
import { DomainError, refuseInvalid, type FoundViolation } from '@daya/kernel';
import type { EntityManager } from 'typeorm';
import { write } from './writes';

/** Printable ASCII without blanks; a UUID is one. */
const REQUEST_ID = /^[\x21-\x7e]{1,64}$/;

/**
 * Who asked what under which id, and the answer. `scope` starts with the organisation id (`<uuid>` or `<uuid>/<anything>`)
 * when the use case runs in an organisation's scope; the policy refuses any other.
 */
export const REQUESTS_TABLE_SQL = `
CREATE TABLE request (scope text NOT NULL, method text NOT NULL, request_id text NOT NULL, fingerprint bytea NOT NULL, response bytea,
  create_time timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (scope, method, request_id));
ALTER TABLE request ENABLE ROW LEVEL SECURITY;
CREATE POLICY request_scope ON request FOR ALL
  USING (split_part(scope, '/', 1) = nullif(current_setting('app.organisation', true), ''))
  WITH CHECK (split_part(scope, '/', 1) = nullif(current_setting('app.organisation', true), ''));
`;

export interface RequestKey {
  readonly scope: string;
  readonly method: string;
  readonly requestId: string;
  /** Everything that makes two requests the same, in one canonical form; its hash is stored. */
  readonly fingerprint: Uint8Array | string;
}

export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/**
 * Runs `work` once per request id, in the caller's transaction: a repetition gets the first answer, racing ones wait for
 * it. Refusals roll back and are not stored. Throws `already-exists` REQUEST_ID_REUSED when the same id comes with other
 * content, `invalid` for a malformed id.
 */
export async function once<T>(em: EntityManager, key: RequestKey, work: () => Promise<T>, codec: Codec<T>): Promise<T> {
  const first = await firstOf(em, key, null, codec);
  if (first) return first.answer;
  const result = await work();
  await write(em, `UPDATE request SET response = $4 WHERE scope = $1 AND method = $2 AND request_id = $3`, [
    ...idOf(key),
    Buffer.from(codec.encode(result)),
  ]);
  return result;
}

/** As `once`, where the answer is known before the work: the row has it from the start. */
export async function onceAs<T>(
  em: EntityManager,
  key: RequestKey,
  answer: T,
  work: () => Promise<void>,
  codec: Codec<T>,
): Promise<T> {
  const first = await firstOf(em, key, Buffer.from(codec.encode(answer)), codec);
  if (first) return first.answer;
  await work();
  return answer;
}

/**
 * The short way for a request that is nearly always new and whose answer is known: does not wait, so that all of the
 * transaction's writes travel together. A request id that was used before, by whatever request, fails the transaction with
 * `aborted` REQUEST_KNOWN, and nothing of it remains; `findAnswer`, or `once`, then says what to answer.
 */
export function claim<T>(em: EntityManager, key: RequestKey, answer: T, codec: Codec<T>): Promise<void> {
  refuseInvalid(requestIdViolations(key.requestId));
  return write(em, INSERT_SQL, [...idOf(key), hashOf(key), Buffer.from(codec.encode(answer))], {
    request_pkey: () => new DomainError('aborted', 'REQUEST_KNOWN', 'the request id was used before'),
  });
}

const INSERT_SQL = `INSERT INTO request (scope, method, request_id, fingerprint, response) VALUES ($1, $2, $3, $4, $5)`;

/** Inserts the request; the first answer when it was here before. */
async function firstOf<T>(
  em: EntityManager,
  key: RequestKey,
  response: Buffer | null,
  codec: Codec<T>,
): Promise<{ readonly answer: T } | undefined> {
  refuseInvalid(requestIdViolations(key.requestId));
  const [id, fingerprint] = [idOf(key), hashOf(key)];
  const inserted: unknown[] = await em.query(`${INSERT_SQL} ON CONFLICT DO NOTHING RETURNING 1`, [
    ...id,
    fingerprint,
    response,
  ]);
  if (inserted.length > 0) return undefined;
  const first = await firstAnswer(em, id, fingerprint, codec);
  if (!first) throw new Error(`request ${id.join(' ')} conflicts but cannot be read`);
  return first;
}

/**
 * The answer that a request id got before; undefined when it got none yet. Writes nothing and waits for nobody, so `once`
 * still decides. Throws as `once`.
 */
export async function findAnswer<T>(em: EntityManager, key: RequestKey, codec: Codec<T>): Promise<T | undefined> {
  refuseInvalid(requestIdViolations(key.requestId));
  return (await firstAnswer(em, idOf(key), hashOf(key), codec))?.answer;
}

const idOf = ({ scope, method, requestId }: RequestKey): readonly string[] => [scope, method, requestId];
const hashOf = ({ fingerprint }: RequestKey): Buffer => createHash('sha256').update(fingerprint).digest();

async function firstAnswer<T>(
  em: EntityManager,
  id: readonly string[],
  fingerprint: Buffer,
  codec: Codec<T>,
): Promise<{ readonly answer: T } | undefined> {
  const [row]: { fingerprint: Buffer; response: Buffer | null }[] = await em.query(
    `SELECT fingerprint, response FROM request WHERE scope = $1 AND method = $2 AND request_id = $3`,
    [...id],
  );
  if (!row) return undefined;
  if (!row.fingerprint.equals(fingerprint)) {
    throw new DomainError('already-exists', 'REQUEST_ID_REUSED', 'request_id was used for another request', {
      requestId: id[2] ?? '',
    });
  }
  // Only the transaction that inserted the row can see it without an answer: `once` was nested under one id.
  if (!row.response) throw new Error(`request ${id.join(' ')} is still being worked on in this transaction`);
  return { answer: codec.decode(row.response) };
}

function requestIdViolations(requestId: string): FoundViolation[] {
  if (REQUEST_ID.test(requestId)) return [];
  const description = 'must have 1 to 64 printable ASCII characters without blanks, best a UUID';
  return [{ field: 'request_id', reason: requestId === '' ? 'REQUIRED' : 'MALFORMED', description }];
}

/** For answers that are plain JSON (ids, states). Money and 64-bit integers must be strings in them. */
export function jsonCodec<T>(): Codec<T> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as T,
  };
}
