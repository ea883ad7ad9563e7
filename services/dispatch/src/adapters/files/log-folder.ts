import { isUuid } from '@daya/kernel';
import { appendFile, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RunLogs } from '../../application/ports';
import { EMPTY_LOG, type LogWrite, type RunLog } from '../../domain/run-log';
import { LruMap } from './lru-map';
import { shardOf } from './permit-folder';
import { isMissing, readIfThere, writeWhole } from './small-files';

const CACHED_MAX = 10_000;

/** What the bytes of a log do not tell. Written only when it is not `PLAIN`. */
interface Sidecar {
  /** nextOffset − storedBytes. */
  readonly shift: string;
  readonly cut: boolean;
  readonly ended: boolean;
}

const PLAIN: Sidecar = { shift: '0', cut: false, ended: false };

/** logs/<two digits>/<lease>.log, and <lease>.json for a log that is cut, has ended, or lost bytes. */
export class LogFolder extends RunLogs {
  private readonly states = new LruMap<RunLog>(CACHED_MAX);
  private readonly tails = new Map<string, Promise<void>>();
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(private readonly folder: string) {
    super();
  }

  override write(leaseId: string, decide: (log: RunLog) => LogWrite): Promise<void> {
    const previous = this.tails.get(leaseId) ?? Promise.resolve();
    const work = previous.then(() => this.writeNow(leaseId, decide));
    const tail = work
      .catch(() => undefined)
      .then(() => void (this.tails.get(leaseId) === tail && this.tails.delete(leaseId)));
    this.tails.set(leaseId, tail);
    return work;
  }

  override async state(leaseId: string): Promise<RunLog> {
    return this.states.get(leaseId) ?? this.load(leaseId);
  }

  override async read(leaseId: string, offsetBytes: number, bytesMax: number): Promise<Uint8Array> {
    const file = await open(this.pathOf(leaseId, 'log'), 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytesMax), 0, bytesMax, offsetBytes);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  override changed(leaseId: string, signal: AbortSignal, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const listeners = this.listeners.get(leaseId) ?? new Set();
      this.listeners.set(leaseId, listeners);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        listeners.delete(done);
        if (listeners.size === 0) this.listeners.delete(leaseId);
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      listeners.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }

  override async sweep(writtenBefore: Date): Promise<number> {
    let swept = 0;
    for (const shard of await readdir(this.folder).catch(() => [])) {
      for (const name of await readdir(join(this.folder, shard))) {
        const path = join(this.folder, shard, name);
        if ((await stat(path)).mtime >= writtenBefore) continue;
        this.states.delete(name.replace(/\.\w+$/, ''));
        await rm(path, { force: true });
        swept += 1;
      }
    }
    return swept;
  }

  private async writeNow(leaseId: string, decide: (log: RunLog) => LogWrite): Promise<void> {
    const before = this.states.get(leaseId) ?? (await this.load(leaseId));
    const { log, append } = decide(before);
    // Whatever of this fails, the disk knows best what is there.
    this.states.delete(leaseId);
    if (append.length > 0) {
      await mkdir(join(this.folder, shardOf(leaseId)), { recursive: true });
      await appendFile(this.pathOf(leaseId, 'log'), append, { mode: 0o600 });
    }
    await this.writeSidecar(leaseId, sidecarOf(before), sidecarOf(log));
    this.states.set(leaseId, log);
    for (const listener of [...(this.listeners.get(leaseId) ?? [])]) listener();
  }

  /** A log that is cut stores nothing any more, so that how far its agent has got does not matter. */
  private async writeSidecar(leaseId: string, before: Sidecar, after: Sidecar): Promise<void> {
    const isSame =
      before.cut === after.cut && before.ended === after.ended && (after.cut || before.shift === after.shift);
    if (!isSame) await writeWhole(this.pathOf(leaseId, 'json'), JSON.stringify(after));
  }

  private async load(leaseId: string): Promise<RunLog> {
    const storedBytes = await stat(this.pathOf(leaseId, 'log')).then(
      ({ size }) => size,
      (error: unknown) => {
        if (isMissing(error)) return 0;
        throw error;
      },
    );
    const text = await readIfThere(this.pathOf(leaseId, 'json'));
    const { shift, cut, ended } = text === undefined ? PLAIN : (JSON.parse(text) as Sidecar);
    return { ...EMPTY_LOG, storedBytes, nextOffset: BigInt(storedBytes) + BigInt(shift), cut, ended };
  }

  private pathOf(leaseId: string, kind: 'log' | 'json'): string {
    if (!isUuid(leaseId)) throw new Error('not a lease id: no file has this name');
    return join(this.folder, shardOf(leaseId), `${leaseId}.${kind}`);
  }
}

const sidecarOf = ({ storedBytes, nextOffset, cut, ended }: RunLog): Sidecar => ({
  shift: String(nextOffset - BigInt(storedBytes)),
  cut,
  ended,
});
