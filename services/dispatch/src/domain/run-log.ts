import type { LogChunk } from './frames';

/** What is stored of one run's log. Readers' offsets count stored bytes, agents' offsets what the container wrote. */
export interface RunLog {
  readonly storedBytes: number;
  /** The agent's offset of the next byte. Ahead of `storedBytes` by what was lost, minus the marks that say so. */
  readonly nextOffset: bigint;
  /** What followed is gone: the limit was reached, here or at the agent. */
  readonly cut: boolean;
  readonly ended: boolean;
}

export const EMPTY_LOG: RunLog = { storedBytes: 0, nextOffset: 0n, cut: false, ended: false };

export interface LogWrite {
  readonly log: RunLog;
  /** To be appended to what is stored. */
  readonly append: Uint8Array;
}

const NOTHING = new Uint8Array();

/**
 * Adds a chunk. What is already stored is skipped, so an agent may send a chunk again; bytes that never came are replaced
 * by a line that says how many; nothing grows beyond `limitBytes`.
 */
export function addChunk(log: RunLog, chunk: LogChunk, limitBytes: number): LogWrite {
  if (log.ended) return { log, append: NOTHING };
  const fresh = freshPart(log, chunk);
  const room = log.cut ? 0 : limitBytes - log.storedBytes;
  const append = fresh.length > room ? fresh.subarray(0, room) : fresh;
  const end = chunk.offsetBytes + BigInt(chunk.data.length);
  return {
    append,
    log: {
      storedBytes: log.storedBytes + append.length,
      nextOffset: end > log.nextOffset ? end : log.nextOffset,
      cut: log.cut || chunk.cut || fresh.length > room,
      ended: chunk.end,
    },
  };
}

function freshPart(log: RunLog, { offsetBytes, data }: LogChunk): Uint8Array {
  const overlap = log.nextOffset - offsetBytes;
  if (overlap >= BigInt(data.length)) return NOTHING;
  if (overlap >= 0n) return data.subarray(Number(overlap));
  const mark = new TextEncoder().encode(`\n[${-overlap} bytes of this log were lost]\n`);
  const joined = new Uint8Array(mark.length + data.length);
  joined.set(mark);
  joined.set(data, mark.length);
  return joined;
}
