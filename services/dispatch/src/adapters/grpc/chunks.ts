import { DomainError } from '@daya/kernel';
import { BLOB_CHUNK_BYTES_MAX } from '../../domain/limits';

const UPLOAD_IDLE_MS = 30_000;

/** The first message of an upload, and its content. Ends an upload whose sender falls silent. */
export interface Upload<Message> {
  readonly first: Message;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Waits for the first message. Throws `invalid` UPLOAD_EMPTY when there is none. */
export async function openUpload<Message extends { readonly chunk: Uint8Array }>(
  messages: AsyncIterable<Message>,
  idleMs = UPLOAD_IDLE_MS,
): Promise<Upload<Message>> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await nextWithin(iterator, idleMs);
  if (first.done === true) throw new DomainError('invalid', 'UPLOAD_EMPTY', 'an upload has at least one message');
  return { first: first.value, chunks: chunksOf(first.value, iterator, idleMs) };
}

async function* chunksOf<Message extends { readonly chunk: Uint8Array }>(
  first: Message,
  iterator: AsyncIterator<Message>,
  idleMs: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let message = first;
  for (;;) {
    if (message.chunk.length > BLOB_CHUNK_BYTES_MAX) throw tooLong();
    if (message.chunk.length > 0) yield message.chunk;
    const next = await nextWithin(iterator, idleMs);
    if (next.done === true) return;
    message = next.value;
  }
}

const tooLong = (): DomainError =>
  new DomainError('invalid', 'INVALID_FIELDS', 'a chunk is too long', {}, [
    { field: 'chunk', reason: 'TOO_LONG', description: `must have at most ${BLOB_CHUNK_BYTES_MAX} bytes` },
  ]);

async function nextWithin<T>(iterator: AsyncIterator<T>, idleMs: number): Promise<IteratorResult<T>> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new DomainError('unavailable', 'UPLOAD_SILENT', 'the upload has stopped: start again')),
      idleMs,
    );
  });
  try {
    return await Promise.race([iterator.next(), silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** int64 of the wire as a byte count; what no file can have becomes NaN and is refused by whoever checks the range. */
export const toByteCount = (value: bigint): number =>
  value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.NaN;
