import type { IncomingMessage, ServerResponse } from 'node:http';
import { DISCARD_BYTES_MAX, DISCARD_MS, STALLED_MS } from '../limits';
import { RateLimited } from '../access/admission';
import type { RateState } from '../access/token-buckets';
import type { Json } from '../api/json-violations';
import { problemHeaders, problemOf, PROBLEM_TYPE } from './problem';

/** One HTTP request and its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** As sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly address: string;
  readonly traceId: string;
  /** Fires when the caller leaves before the answer is complete. */
  readonly gone: AbortSignal;
}

export const JSON_TYPE = 'application/json';

export function sendJson({ response }: Exchange, code: number, json: Json): void {
  send(response, code, JSON_TYPE, JSON.stringify(json));
}

/** The one error format; after it nothing more is read of a request that was not complete. Returns the reason it gave. */
export function sendProblem(exchange: Exchange, error: unknown): string {
  const problem = problemOf(error, exchange.traceId);
  const { response } = exchange;
  for (const [name, value] of Object.entries(problemHeaders(error, problem))) response.setHeader(name, value);
  if (error instanceof RateLimited) {
    setRateHeaders(response, error.rate);
    response.setHeader('retry-after', String(error.rate.retrySeconds));
  }
  if (!exchange.request.complete) response.setHeader('connection', 'close');
  // Nobody is there any more; the code is for the log alone.
  send(response, problem.status, PROBLEM_TYPE, JSON.stringify(problem));
  discardRest(exchange);
  return problem.reason;
}

export function setRateHeaders(response: ServerResponse, { limit, remaining, resetSeconds }: RateState): void {
  response.setHeader('ratelimit-limit', String(limit));
  response.setHeader('ratelimit-remaining', String(remaining));
  response.setHeader('ratelimit-reset', String(resetSeconds));
}

function send(response: ServerResponse, code: number, type: string, text: string): void {
  const body = Buffer.from(text);
  response.writeHead(code, { 'content-type': type, 'content-length': body.length });
  response.end(body);
}

/** A caller that still sends must be able to read the answer first: a cut at once would take it away. */
function discardRest({ request, response }: Exchange): void {
  if (request.complete || request.destroyed) return;
  const cut = (): unknown => request.socket.destroy();
  const timer = setTimeout(cut, DISCARD_MS);
  timer.unref();
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > DISCARD_BYTES_MAX && response.writableFinished) cut();
  });
  request.once('close', () => clearTimeout(timer));
  request.on('error', () => undefined);
  request.resume();
}

/** Writes, and waits until the caller has taken enough of it. Rejects with the signal's reason, or when they stall. */
export function writeSlowly(response: ServerResponse, chunk: Buffer | string, signal: AbortSignal): Promise<void> {
  if (response.write(chunk)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = (error?: Error): void => {
      clearTimeout(timer);
      response.off('drain', onDrain);
      signal.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onDrain = (): void => done();
    const onAbort = (): void => done(signal.reason as Error);
    const timer = setTimeout(() => done(new Error('the reader stalled')), STALLED_MS);
    response.once('drain', onDrain);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
