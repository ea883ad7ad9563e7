import type { StreamSlots } from '../access/stream-slots';
import type { ApiMethod } from '../api/catalogue';
import { isObject, type Json } from '../api/json-violations';
import { toReplyJson } from '../api/reply-mapping';
import { toRequestBytes } from '../api/request-mapping';
import type { Peers } from '../peers';
import { serveEvents } from './events';
import type { Handler } from './front-door';

const RESUME_FIELD = 'resume_version';

/**
 * A server-streaming RPC as server-sent events. Where the request has a `resume_version`, event ids are the version of
 * what was sent, and Last-Event-ID resumes after it.
 */
export function watchHandler(peers: Peers, slots: StreamSlots, method: ApiMethod): Handler {
  const call = peers.serverStream(method.path);
  const { input, output } = method.descriptor;
  const resumable = input.fields.some((field) => field.name === RESUME_FIELD);
  return async (visit) => {
    const { exchange, admitted, variables } = visit;
    const query = new URLSearchParams(exchange.query);
    const lastId = exchange.request.headers['last-event-id'];
    if (resumable && typeof lastId === 'string' && !query.has(RESUME_FIELD) && !query.has('resumeVersion'))
      query.set(RESUME_FIELD, lastId);
    const bytes = toRequestBytes(input, { variables, query, body: undefined, idempotencyKey: undefined });
    await serveEvents(
      visit,
      slots,
      (signal) => call(Buffer.from(bytes), { caller: admitted.member, signal }),
      (message) => {
        const data = toReplyJson(output, message);
        return { id: resumable ? versionOf(data) : undefined, data };
      },
    );
  };
}

/** The version of the one resource that a reply holds. */
function versionOf(reply: Json): string | undefined {
  if (!isObject(reply)) return undefined;
  for (const part of Object.values(reply))
    if (isObject(part) && typeof part['version'] === 'string') return part['version'];
  return undefined;
}
