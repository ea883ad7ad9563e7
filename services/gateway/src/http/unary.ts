import type { ApiMethod, HttpBinding } from '../api/catalogue';
import { toReplyJson } from '../api/reply-mapping';
import { toRequestBytes } from '../api/request-mapping';
import { CALL_MS } from '../limits';
import type { Peers } from '../peers';
import { sendJson } from './exchange';
import type { Handler, Visit } from './front-door';
import { readJsonBody } from './json-body';

/** The request's bytes, from wherever the binding says they come. */
export async function requestBytesOf(
  method: ApiMethod,
  binding: HttpBinding,
  { exchange, variables }: Visit,
): Promise<Buffer> {
  const body = binding.body ? await readJsonBody(exchange.request) : undefined;
  const key = exchange.request.headers['idempotency-key'];
  const idempotencyKey = typeof key === 'string' ? key : undefined;
  const parts = { variables, query: exchange.query, body, idempotencyKey };
  return Buffer.from(toRequestBytes(method.descriptor.input, parts));
}

/** JSON in, bytes to the owning service, bytes back, JSON out. */
export function unaryHandler(peers: Peers, method: ApiMethod, binding: HttpBinding): Handler {
  const call = peers.unary(method.path);
  return async (visit) => {
    const request = await requestBytesOf(method, binding, visit);
    const { exchange, admitted } = visit;
    const reply = await call(request, { caller: admitted.member, deadlineMs: CALL_MS, signal: exchange.gone });
    sendJson(exchange, 200, toReplyJson(method.descriptor.output, reply));
  };
}
