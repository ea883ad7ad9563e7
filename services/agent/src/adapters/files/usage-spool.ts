import { join } from 'node:path';
import { UsageSpool } from '../../application/ports';
import type { SignedBlock } from '../../application/ports';
import { acknowledge, append, openBook } from '../../domain/spool-book';
import type { SpoolBook } from '../../domain/spool-book';
import type { UsageTick } from '../../domain/usage-counter';
import { RecordFolder } from './durable-file';

/** Turns ticks that start at a sequence into the bytes of a signed block. */
export type SealBlock = (bootId: string, firstSequence: number, ticks: readonly UsageTick[]) => Uint8Array;

const SEQUENCE_DIGITS = 16;

/** One file per block; its name holds everything but the signed bytes. A crash between two files leaves no gap, because a block is one file. */
export class FileUsageSpool extends UsageSpool {
  private readonly records: RecordFolder;
  private book: SpoolBook;
  /** Blocks that did not fit. */
  droppedBlocks = 0;

  /** `bootName` sorts after the names of earlier boots and holds no blank. */
  constructor(
    stateFolder: string,
    private readonly bootName: string,
    bootId: string,
    private readonly maxBytes: number,
    private readonly seal: SealBlock,
  ) {
    super();
    this.records = new RecordFolder(join(stateFolder, 'spool'));
    this.book = openBook(
      bootId,
      this.records.names().map((name) => ({ ...partsOf(name), bytes: this.records.read(name) })),
    );
  }

  append(ticks: readonly UsageTick[]): void {
    const bytes = this.seal(this.book.bootId, this.book.nextSequence, ticks);
    const appended = append(this.book, ticks.length, bytes, this.maxBytes);
    if (appended === null) {
      this.droppedBlocks += 1;
      return;
    }
    const [book, block] = appended;
    this.records.write(
      [this.bootName, padded(block.firstSequence), padded(block.lastSequence), block.bootId].join(' '),
      bytes,
    );
    this.book = book;
  }

  pending(): readonly SignedBlock[] {
    return this.book.pending;
  }

  acknowledge(bootId: string, lastSequence: number): void {
    this.book = acknowledge(this.book, bootId, lastSequence);
    for (const name of this.records.names()) {
      const block = partsOf(name);
      if (block.bootId === bootId && block.lastSequence <= lastSequence) this.records.remove(name);
    }
  }
}

function padded(sequence: number): string {
  return String(sequence).padStart(SEQUENCE_DIGITS, '0');
}

function partsOf(name: string): {
  readonly bootId: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
} {
  const [, first = '', last = '', bootId = ''] = name.split(' ');
  return { bootId, firstSequence: Number(first), lastSequence: Number(last) };
}
