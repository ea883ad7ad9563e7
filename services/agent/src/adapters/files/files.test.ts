import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileFloorStore, FileLeaseJournal, FileReportStore } from './state-stores';
import { FileUsageSpool } from './usage-spool';
import { UuidV7 } from './uuid-v7';

describe('what the agent keeps on disk', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'agent-state-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('the fencing floor survives, with every digit of its tokens', () => {
    new FileFloorStore(folder).save(
      new Map([
        ['GPU-1', 2n ** 63n - 1n],
        ['__proto__', 4n],
      ]),
    );
    expect(new FileFloorStore(folder).load()).toEqual(
      new Map([
        ['GPU-1', 2n ** 63n - 1n],
        ['__proto__', 4n],
      ]),
    );
    expect(new FileFloorStore(join(folder, 'none')).load()).toEqual(new Map());
  });

  it('reports survive in order and go one by one', () => {
    const store = new FileReportStore(folder);
    const ids = new UuidV7();
    const reports = Array.from({ length: 50 }, (_, index) => ({
      reportId: ids.next(),
      leaseId: `lease-${index}`,
      leaseToken: BigInt(index) + 2n ** 60n,
      body: { type: 'running' as const },
    }));
    for (const report of reports) store.save(report);
    expect(new FileReportStore(folder).load()).toEqual(reports);
    store.remove(reports[0]?.reportId ?? '');
    store.remove(reports[0]?.reportId ?? '');
    expect(new FileReportStore(folder).load()).toEqual(reports.slice(1));
  });

  it('the lease journal keeps the newest count', () => {
    const journal = new FileLeaseJournal(folder);
    journal.save({ leaseId: 'a', leaseToken: 5n, cumulativeMs: 0 });
    journal.save({ leaseId: 'a', leaseToken: 5n, cumulativeMs: 1_200 });
    expect(new FileLeaseJournal(folder).load()).toEqual([{ leaseId: 'a', leaseToken: 5n, cumulativeMs: 1_200 }]);
    journal.remove('a');
    expect(new FileLeaseJournal(folder).load()).toEqual([]);
  });

  describe('the usage spool', () => {
    const tick = (
      cumulativeMs: number,
    ): { leaseId: string; leaseToken: bigint; cumulativeMs: number; final: boolean } => ({
      leaseId: 'l',
      leaseToken: 1n,
      cumulativeMs,
      final: false,
    });
    const open = (boot: string, maxBytes = 1_000): FileUsageSpool =>
      new FileUsageSpool(folder, boot, `id-of-${boot}`, maxBytes, (bootId, first, ticks) =>
        Buffer.from(`${bootId} ${first} ${ticks.map((one) => one.cumulativeMs).join(',')}`),
      );
    const texts = (spool: FileUsageSpool): readonly string[] =>
      spool.pending().map((block) => Buffer.from(block.bytes).toString());

    it('numbers ticks without a gap, and a new boot starts at 1 behind what the old one left', () => {
      const first = open('boot-1');
      first.append([tick(10), tick(20)]);
      first.append([tick(30)]);
      first.append([tick(40)]);
      first.acknowledge('id-of-boot-1', 2);
      const second = open('boot-2');
      second.append([tick(5)]);
      expect(texts(second)).toEqual(['id-of-boot-1 3 30', 'id-of-boot-1 4 40', 'id-of-boot-2 1 5']);
      second.acknowledge('id-of-boot-1', 4);
      second.acknowledge('id-of-boot-1', 4);
      expect(texts(open('boot-3'))).toEqual(['id-of-boot-2 1 5']);
    });

    it('a full spool drops the block, uses up no number, and goes on after an acknowledgement', () => {
      const spool = open('boot-1', 40);
      spool.append([tick(1)]);
      spool.append([tick(2)]);
      spool.append([tick(3)]);
      expect(spool.droppedBlocks).toBe(1);
      spool.acknowledge('id-of-boot-1', 1);
      spool.append([tick(4)]);
      expect(texts(spool)).toEqual(['id-of-boot-1 2 2', 'id-of-boot-1 3 4']);
    });

    it('half a file that a crash left is not a block', () => {
      open('boot-1').append([tick(1)]);
      const [name = ''] = readdirSync(join(folder, 'spool'));
      writeFileSync(join(folder, 'spool', `${name.replace('boot-1', 'boot-0')}.draft`), 'ha');
      expect(texts(open('boot-2'))).toEqual(['id-of-boot-1 1 1']);
    });
  });

  it('ids never run backwards, however many a millisecond', () => {
    const ids = new UuidV7();
    const made = Array.from({ length: 20_000 }, () => ids.next());
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
    expect(made[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
