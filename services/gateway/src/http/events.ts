import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@daya/kernel';
import { GrpcCallError } from '@daya/nest';
import type { StreamSlots } from '../access/stream-slots';
import type { Json } from '../api/json-violations';
import { FIRST_EVENT_MS, SSE_HEARTBEAT_MS } from '../limits';
import { writeSlowly } from './exchange';
import type { Visit } from './front-door';
import { problemOf } from './problem';
import { HttpRefusal } from './refusal';

export interface StreamEvent {
  /** What `Last-Event-ID` brings back; undefined where a stream cannot be resumed. */
  readonly id: string | undefined;
  readonly data: Json;
}

const EVENT_STREAM = 'text/event-stream';

/** Throws HttpRefusal 406 when the caller accepts no event stream. */
export function requireEventStream(accept: string | undefined): void {
  const accepts = (accept ?? '*/*').split(',').map((one) => one.split(';')[0]?.trim().toLowerCase());
  if (accepts.some((one) => one === EVENT_STREAM || one === '*/*' || one === 'text/*')) return;
  throw new HttpRefusal(406, 'NOT_ACCEPTABLE', `this is a stream: accept ${EVENT_STREAM}`);
}

/**
 * Sends messages as server-sent events, one at a time as the reader takes them. A refusal that comes before the first
 * message is an ordinary problem; a later one is an event `problem`; the end is an event `end`.
 */
export async function serveEvents(
  { exchange, admitted }: Visit,
  slots: StreamSlots,
  open: (signal: AbortSignal) => AsyncIterable<Buffer>,
  toEvent: (message: Buffer) => StreamEvent,
): Promise<void> {
  const { request, response, gone, traceId } = exchange;
  requireEventStream(request.headers.accept);
  const stream = slots.take(admitted, gone);
  const messages = open(stream.signal)[Symbol.asyncIterator]();
  let heartbeat: NodeJS.Timeout | undefined;
  try {
    const first = messages.next();
    await Promise.race([first, sleep(FIRST_EVENT_MS)]);
    openStream();
    heartbeat = setInterval(() => response.writableNeedDrain || response.write(': heartbeat\n\n'), SSE_HEARTBEAT_MS);
    for (let next = await first; next.done !== true; next = await messages.next())
      await writeSlowly(response, textOf(toEvent(next.value)), stream.signal);
    response.end('event: end\ndata: {}\n\n');
  } catch (error) {
    if (!response.headersSent) throw reasonOf(stream.signal, error);
    if (!gone.aborted)
      response.end(`event: problem\ndata: ${JSON.stringify(problemOf(reasonOf(stream.signal, error), traceId))}\n\n`);
  } finally {
    clearInterval(heartbeat);
    stream.release();
    await messages.return?.().catch(() => undefined);
  }
  await finished();

  function openStream(): void {
    response.writeHead(200, { 'content-type': EVENT_STREAM, 'x-accel-buffering': 'no' });
    response.write(': open\n\n');
  }

  /** The last words need a reader too. */
  async function finished(): Promise<void> {
    if (response.writableFinished || response.destroyed) return;
    await Promise.race([once(response, 'close'), sleep(FIRST_EVENT_MS)]);
    if (!response.writableFinished) response.destroy();
  }
}

/** Why a stream was ended here, rather than that its call was cancelled for it. */
export function reasonOf(signal: AbortSignal, error: unknown): unknown {
  const cancelled = error instanceof GrpcCallError || signal.reason === error;
  return signal.aborted && cancelled && signal.reason instanceof DomainError ? signal.reason : error;
}

function textOf({ id, data }: StreamEvent): string {
  return `${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}
