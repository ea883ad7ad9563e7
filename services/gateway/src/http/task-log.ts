import type { StreamSlots } from '../access/stream-slots';
import type { ApiMethod } from '../api/catalogue';
import { toReplyJson } from '../api/reply-mapping';
import { toRequestBytes } from '../api/request-mapping';
import { FollowLogResponse } from '@daya/proto/dispatch';
import type { Peers } from '../peers';
import { serveEvents } from './events';
import type { Handler } from './front-door';

export const FOLLOW_LOG = '/daya.dispatch.v1.DispatchService/FollowLog';
const RESUME_ID = /^(\d{1,9})\.(\d{1,18})$/;

/** A task's log as it grows. An event's id is `<run number>.<offset after it>`; Last-Event-ID goes on from there. */
export function taskLogHandler(peers: Peers, slots: StreamSlots, method: ApiMethod): Handler {
  const call = peers.serverStream(method.path);
  const { input, output } = method.descriptor;
  return async (visit) => {
    const { exchange, admitted, variables } = visit;
    const query = new URLSearchParams(exchange.query);
    const [, run, offset] = RESUME_ID.exec(String(exchange.request.headers['last-event-id'] ?? '')) ?? [];
    if (run !== undefined && offset !== undefined) {
      for (const name of ['run_number', 'runNumber', 'offset_bytes', 'offsetBytes']) query.delete(name);
      query.set('run_number', run);
      query.set('offset_bytes', offset);
    }
    const bytes = toRequestBytes(input, { variables, query, body: undefined, idempotencyKey: undefined });
    await serveEvents(
      visit,
      slots,
      (signal) => call(Buffer.from(bytes), { caller: admitted.member, signal }),
      (message) => ({ id: resumeId(message), data: toReplyJson(output, message) }),
    );
  };
}

function resumeId(message: Buffer): string {
  const { runNumber, offsetBytes, data } = FollowLogResponse.decode(message);
  return `${runNumber}.${offsetBytes + BigInt(data.length)}`;
}
