import type { ServerDuplexStream, ServerReadableStream } from '@grpc/grpc-js';

const WAKING = ['readable', 'end', 'error'] as const;

/**
 * What a partner sends, as it is asked for: not reading stops the sender. The stream's own iterator would destroy the call
 * when it is left, and the status would be lost with it.
 */
export async function* messagesOf(
  call: ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let wake: () => void = () => undefined;
  const onEvent = (): void => wake();
  for (const event of WAKING) call.on(event, onEvent);
  signal.addEventListener('abort', onEvent);
  try {
    while (!signal.aborted) {
      const bytes = call.read() as Buffer | null;
      if (bytes !== null) yield bytes;
      else if (call.readableEnded) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    throw signal.reason;
  } finally {
    for (const event of WAKING) call.off(event, onEvent);
    signal.removeEventListener('abort', onEvent);
  }
}
