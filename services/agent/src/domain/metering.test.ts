import fc from 'fast-check';
import { acknowledge, append, openBook } from './spool-book';
import type { SpooledBlock } from './spool-book';
import { NOTHING_COUNTED, startCounting, stopCounting, tickAll } from './usage-counter';

describe('usage counter', () => {
  it('counts from Running to the end, cumulatively', () => {
    let counter = startCounting(NOTHING_COUNTED, 'lease', 4n, 1_000);
    let ticks;
    [counter, ticks] = tickAll(counter, 3_500.9);
    expect(ticks).toEqual([{ leaseId: 'lease', leaseToken: 4n, cumulativeMs: 2_500, final: false }]);
    const [rest, last] = stopCounting(counter, 'lease', 5_000);
    expect(last).toEqual({ leaseId: 'lease', leaseToken: 4n, cumulativeMs: 4_000, final: true });
    expect(stopCounting(rest, 'lease', 6_000)[1]).toBeNull();
    expect(() => startCounting(startCounting(NOTHING_COUNTED, 'a', 1n, 0), 'a', 2n, 0)).toThrow('already counted');
  });

  it('property: never falls and never passes the time since Running, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -500, max: 5_000 })), (steps) => {
        let nowMs = 10_000;
        let highestMs = nowMs;
        let counter = startCounting(NOTHING_COUNTED, 'lease', 1n, nowMs);
        let last = 0;
        for (const step of steps) {
          nowMs += step;
          highestMs = Math.max(highestMs, nowMs);
          const [next, [tick]] = tickAll(counter, nowMs);
          counter = next;
          expect(tick?.cumulativeMs).toBeGreaterThanOrEqual(last);
          expect(tick?.cumulativeMs).toBeLessThanOrEqual(highestMs - 10_000);
          last = tick?.cumulativeMs ?? -1;
        }
        expect(stopCounting(counter, 'lease', nowMs)[1]?.cumulativeMs).toBeGreaterThanOrEqual(last);
      }),
    );
  });
});

describe('spool book', () => {
  const bytes = (size: number): Uint8Array => new Uint8Array(size);

  it('property: sequences of a boot are gapless, what is not acknowledged stays, the size is bounded', () => {
    const commands = fc.array(
      fc.oneof(
        fc.record({ ticks: fc.integer({ min: 1, max: 4 }), size: fc.nat(40) }),
        fc.record({ ackUpTo: fc.nat(60) }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(commands, (list) => {
        let book = openBook('boot', []);
        let written: SpooledBlock[] = [];
        let expectedNext = 1;
        for (const command of list) {
          if ('ticks' in command) {
            const appended = append(book, command.ticks, bytes(command.size), 200);
            if (appended === null) {
              expect(book.pendingBytes + command.size).toBeGreaterThan(200);
              continue;
            }
            book = appended[0];
            expect(appended[1]).toMatchObject({
              firstSequence: expectedNext,
              lastSequence: expectedNext + command.ticks - 1,
            });
            expectedNext += command.ticks;
            written.push(appended[1]);
          } else {
            book = acknowledge(book, 'boot', command.ackUpTo);
            written = written.filter((block) => block.lastSequence > command.ackUpTo);
          }
          expect(book.pending).toEqual(written);
          expect(book.pendingBytes).toBe(written.reduce((sum, block) => sum + block.bytes.length, 0));
          expect(book.pendingBytes).toBeLessThanOrEqual(200);
        }
      }),
    );
  });

  it('keeps what an earlier boot left, first, and acknowledges each boot on its own', () => {
    const old = [
      { bootId: 'old', firstSequence: 6, lastSequence: 7, bytes: bytes(3) },
      { bootId: 'old', firstSequence: 8, lastSequence: 8, bytes: bytes(3) },
    ];
    const [book] = append(openBook('new', old), 1, bytes(1), 100) ?? [openBook('', [])];
    expect(book.pending.map((block) => [block.bootId, block.firstSequence])).toEqual([
      ['old', 6],
      ['old', 8],
      ['new', 1],
    ]);
    expect(acknowledge(book, 'new', 1).pending).toEqual(old);
    expect(acknowledge(book, 'old', 7).pending.map((block) => block.firstSequence)).toEqual([8, 1]);
    expect(acknowledge(book, 'old', 6).pending).toHaveLength(3);
    expect(acknowledge(book, 'other', 99)).toBe(book);
  });
});
