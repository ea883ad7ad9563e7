import * as fc from 'fast-check';
import type { LogChunk } from './frames';
import { addChunk, EMPTY_LOG, type RunLog } from './run-log';

const chunk = (offset: number, data: Uint8Array, flags: Partial<LogChunk> = {}): LogChunk => ({
  leaseId: 'l',
  leaseToken: 1n,
  offsetBytes: BigInt(offset),
  data,
  cut: false,
  end: false,
  ...flags,
});
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

function replay(chunks: readonly LogChunk[], limit: number): { stored: Buffer; log: RunLog } {
  let log = EMPTY_LOG;
  const parts: Uint8Array[] = [];
  for (const one of chunks) {
    const write = addChunk(log, one, limit);
    expect(write.log.storedBytes).toBe(log.storedBytes + write.append.length);
    parts.push(write.append);
    log = write.log;
  }
  return { stored: Buffer.concat(parts), log };
}

const output = fc.uint8Array({ maxLength: 400 });

test('an output sent in overlapping and repeated pieces is stored once, in order', () => {
  const cuts = fc.array(fc.tuple(fc.nat(400), fc.nat(60)), { maxLength: 30 });
  fc.assert(
    fc.property(output, cuts, (whole, pieces) => {
      const chunks: LogChunk[] = [];
      let reached = 0;
      for (const [start, length] of pieces) {
        const from = Math.min(start, reached);
        const part = whole.subarray(from, Math.min(whole.length, from + length));
        chunks.push(chunk(from, part));
        reached = Math.max(reached, from + part.length);
      }
      const { stored, log } = replay(chunks, 10_000);
      expect(Buffer.compare(stored, Buffer.from(whole.subarray(0, reached)))).toBe(0);
      expect(log.nextOffset).toBe(BigInt(reached));
    }),
  );
});

test('never more than the limit is stored, and the cut is said', () => {
  fc.assert(
    fc.property(fc.array(output), fc.nat(500), (parts, limit) => {
      let offset = 0;
      const chunks = parts.map((part) => {
        const one = chunk(offset, part);
        offset += part.length;
        return one;
      });
      const { stored, log } = replay(chunks, limit);
      expect(stored.length).toBe(Math.min(offset, limit));
      expect(log.cut).toBe(offset > limit);
    }),
  );
});

test('lost bytes leave a line that says how many', () => {
  const { stored, log } = replay([chunk(0, bytes('one ')), chunk(9, bytes('three'))], 1_000);
  expect(text(stored)).toBe('one \n[5 bytes of this log were lost]\nthree');
  expect(log.nextOffset).toBe(14n);
  expect(replay([chunk(0, bytes('a')), chunk(1_000_000_000, bytes('b'))], 1_000).stored.length).toBeLessThan(60);
});

test('after its end a log takes nothing more', () => {
  const { stored, log } = replay([chunk(0, bytes('all'), { end: true }), chunk(3, bytes('more'))], 1_000);
  expect(text(stored)).toBe('all');
  expect(log.ended).toBe(true);
});
