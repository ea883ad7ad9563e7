/** A block of consecutive ticks of one boot, kept until the platform has acknowledged it. */
export interface SpooledBlock {
  readonly bootId: string;
  /** Sequences of its first and last tick: 1, 2, 3 … per boot, without a gap. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: Uint8Array;
}

export interface SpoolBook {
  readonly bootId: string;
  readonly nextSequence: number;
  /** Unacknowledged, oldest first; blocks of earlier boots come before those of this one. */
  readonly pending: readonly SpooledBlock[];
  readonly pendingBytes: number;
}

/** A new boot's book over what earlier boots left behind. */
export function openBook(bootId: string, leftOver: readonly SpooledBlock[]): SpoolBook {
  return { bootId, nextSequence: 1, ...counted(leftOver) };
}

/**
 * Appends a block of `tickCount` ticks under the next sequences of this boot; null when `maxBytes` would be passed,
 * and then no sequence is used up: the next cumulative tick carries the milliseconds of the lost one.
 */
export function append(
  book: SpoolBook,
  tickCount: number,
  bytes: Uint8Array,
  maxBytes: number,
): readonly [SpoolBook, SpooledBlock] | null {
  if (tickCount < 1) throw new Error('a usage block holds at least one tick');
  if (book.pendingBytes + bytes.length > maxBytes) return null;
  const block = {
    bootId: book.bootId,
    firstSequence: book.nextSequence,
    lastSequence: book.nextSequence + tickCount - 1,
    bytes,
  };
  return [{ bootId: book.bootId, nextSequence: block.lastSequence + 1, ...counted([...book.pending, block]) }, block];
}

/** Forgets every block of that boot that ends at or before `lastSequence`. Repeated and old acknowledgements change nothing. */
export function acknowledge(book: SpoolBook, bootId: string, lastSequence: number): SpoolBook {
  const left = book.pending.filter((block) => block.bootId !== bootId || block.lastSequence > lastSequence);
  return left.length === book.pending.length ? book : { ...book, ...counted(left) };
}

function counted(pending: readonly SpooledBlock[]): {
  readonly pending: readonly SpooledBlock[];
  readonly pendingBytes: number;
} {
  return { pending, pendingBytes: pending.reduce((sum, block) => sum + block.bytes.length, 0) };
}
