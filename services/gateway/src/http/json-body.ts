import type { IncomingMessage } from 'node:http';
import { isObject, type JsonObject } from '../api/json-violations';
import { BODY_MS, JSON_BODY_BYTES_MAX } from '../limits';
import { JSON_TYPE } from './exchange';
import { HttpRefusal } from './refusal';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The JSON object that a request brings; none at all counts as `{}`. Throws HttpRefusal 415, 413, 408 or 400
 * (BODY_NOT_UTF8, BODY_NOT_JSON, BODY_NOT_OBJECT).
 */
export async function readJsonBody(request: IncomingMessage): Promise<JsonObject> {
  requireType(request, JSON_TYPE);
  const bytes = await readAll(request);
  if (bytes.length === 0) return {};
  let json: unknown;
  try {
    json = JSON.parse(textOf(bytes));
  } catch (error) {
    if (error instanceof HttpRefusal) throw error;
    throw new HttpRefusal(400, 'BODY_NOT_JSON', 'the body is not JSON');
  }
  if (!isObject(json as JsonObject)) throw new HttpRefusal(400, 'BODY_NOT_OBJECT', 'the body must be a JSON object');
  return json as JsonObject;
}

/** Throws HttpRefusal 415 for a body of another type, or one that is compressed. */
export function requireType({ headers }: IncomingMessage, wanted: string): void {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  const hasBody =
    headers['content-length'] !== '0' && (headers['content-length'] ?? headers['transfer-encoding']) !== undefined;
  if (type === undefined ? hasBody && wanted === JSON_TYPE : type !== wanted)
    throw new HttpRefusal(415, 'UNSUPPORTED_MEDIA_TYPE', `send ${wanted}`, { headers: { accept: wanted } });
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw new HttpRefusal(415, 'UNSUPPORTED_ENCODING', 'send the body uncompressed', {
      headers: { 'accept-encoding': 'identity' },
    });
}

function textOf(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new HttpRefusal(400, 'BODY_NOT_UTF8', 'the body is not UTF-8');
  }
}

export const tooLarge = (limitBytes: number): HttpRefusal =>
  new HttpRefusal(413, 'REQUEST_TOO_LARGE', `the body is larger than ${limitBytes} bytes`, {
    metadata: { limit_bytes: String(limitBytes) },
  });

function readAll(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > JSON_BODY_BYTES_MAX) throw tooLarge(JSON_BODY_BYTES_MAX);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const done = (error: Error | undefined): void => {
      clearTimeout(timer);
      request.off('data', onData);
      if (error === undefined) resolve(Buffer.concat(chunks));
      else reject(error);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > JSON_BODY_BYTES_MAX) done(tooLarge(JSON_BODY_BYTES_MAX));
      else chunks.push(chunk);
    };
    const timer = setTimeout(
      () => done(new HttpRefusal(408, 'BODY_TOO_SLOW', 'the body did not arrive in time')),
      BODY_MS,
    );
    request.on('data', onData);
    request.once('end', () => done(undefined));
    request.once('error', () => done(new HttpRefusal(400, 'BODY_CUT', 'the body ended early')));
  });
}
