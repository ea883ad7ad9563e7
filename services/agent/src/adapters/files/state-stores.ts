import { join } from 'node:path';
import { FloorStore, LeaseJournal, ReportStore } from '../../application/ports';
import type { JournaledLease } from '../../application/ports';
import type { Report } from '../../application/messages';
import type { FencingFloor } from '../../domain/fencing-floor';
import { readIfThere, RecordFolder, writeDurably } from './durable-file';

/** 64-bit tokens as decimal strings under this key: JSON numbers would lose their last digits. */
const TOKEN_KEY = 'leaseToken';

export class FileFloorStore extends FloorStore {
  private readonly path: string;

  constructor(stateFolder: string) {
    super();
    this.path = join(stateFolder, 'fencing-floor.json');
  }

  load(): FencingFloor {
    const entries = JSON.parse(readIfThere(this.path) ?? '[]') as readonly (readonly [string, string])[];
    return new Map(entries.map(([uuid, token]) => [uuid, BigInt(token)]));
  }

  save(floor: FencingFloor): void {
    writeDurably(this.path, JSON.stringify([...floor].map(([uuid, token]) => [uuid, token.toString()])));
  }
}

/** Report ids are time-ordered, so the order of the files is the order of the reports. */
export class FileReportStore extends ReportStore {
  private readonly records: RecordFolder;

  constructor(stateFolder: string) {
    super();
    this.records = new RecordFolder(join(stateFolder, 'reports'));
  }

  load(): readonly Report[] {
    return this.records.names().map((name) => decode<Report>(this.records.read(name)));
  }

  save(report: Report): void {
    this.records.write(`${report.reportId}.json`, encode(report));
  }

  remove(reportId: string): void {
    this.records.remove(`${reportId}.json`);
  }
}

export class FileLeaseJournal extends LeaseJournal {
  private readonly records: RecordFolder;

  constructor(stateFolder: string) {
    super();
    this.records = new RecordFolder(join(stateFolder, 'leases'));
  }

  load(): readonly JournaledLease[] {
    return this.records.names().map((name) => decode<JournaledLease>(this.records.read(name)));
  }

  save({ leaseId, leaseToken, cumulativeMs }: JournaledLease): void {
    this.records.write(`${leaseId}.json`, encode({ leaseId, leaseToken, cumulativeMs }));
  }

  remove(leaseId: string): void {
    this.records.remove(`${leaseId}.json`);
  }
}

function encode(value: object): string {
  return JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? field.toString() : field));
}

function decode<T>(bytes: Buffer): T {
  return JSON.parse(bytes.toString('utf8'), (key, field: unknown) =>
    key === TOKEN_KEY && typeof field === 'string' ? BigInt(field) : field,
  ) as T;
}
