import { appendFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, isUuid } from '@daya/kernel';
import { LeasePermits } from '../../application/ports';
import type { LeasePermit } from '../../domain/lease-permit';
import { UPLOADS_PER_LEASE_MAX } from '../../domain/limits';
import { isSha256 } from '../../domain/shapes';
import { LruMap } from './lru-map';
import { isMissing, readIfThere, writeWhole } from './small-files';

const CACHED_MAX = 20_000;

/** permits/<two digits>/<lease>.json and, beside it, the hashes that the lease uploaded, one a line. */
export class PermitFolder extends LeasePermits {
  private readonly cache = new LruMap<LeasePermit>(CACHED_MAX);
  private readonly keeping = new Map<string, Promise<void>>();

  constructor(private readonly folder: string) {
    super();
  }

  override keep(permit: LeasePermit): Promise<void> {
    const { leaseId } = permit;
    const underWay = this.keeping.get(leaseId);
    if (underWay !== undefined) return underWay;
    // The file is not looked for: a lease is offered before it can end, so what may be there is the same permit.
    if (this.cache.get(leaseId) !== undefined) return Promise.resolve();
    const kept = this.write(permit).finally(() => this.keeping.delete(leaseId));
    this.keeping.set(leaseId, kept);
    return kept;
  }

  override kept(leaseId: string): Promise<void> {
    return this.keeping.get(leaseId) ?? Promise.resolve();
  }

  override async find(leaseId: string): Promise<LeasePermit | undefined> {
    await this.kept(leaseId);
    const cached = this.cache.get(leaseId);
    if (cached !== undefined) return cached;
    const text = await readIfThere(this.pathOf(leaseId, 'json'));
    if (text === undefined) return undefined;
    const stored = JSON.parse(text) as Omit<LeasePermit, 'leaseToken'> & { leaseToken: string };
    const permit = { ...stored, manifestSha256: stored.manifestSha256, leaseToken: BigInt(stored.leaseToken) };
    this.cache.set(leaseId, permit);
    return permit;
  }

  override async end(leaseId: string): Promise<void> {
    const permit = await this.find(leaseId);
    if (permit !== undefined && !permit.ended) await this.write({ ...permit, ended: true });
  }

  override async addUpload(leaseId: string, sha256: string): Promise<void> {
    if (!isSha256(sha256)) throw new Error('not a SHA-256');
    const uploads = await this.uploadsOf(leaseId);
    if (uploads.has(sha256)) return;
    if (uploads.size >= UPLOADS_PER_LEASE_MAX) {
      throw new DomainError(
        'exhausted',
        'LEASE_UPLOADS_TOO_MANY',
        `a lease uploads at most ${UPLOADS_PER_LEASE_MAX} files`,
      );
    }
    await appendFile(this.pathOf(leaseId, 'uploads'), `${sha256}\n`, { mode: 0o600 });
  }

  override async uploadsOf(leaseId: string): Promise<ReadonlySet<string>> {
    const text = (await readIfThere(this.pathOf(leaseId, 'uploads'))) ?? '';
    return new Set(text.split('\n').filter(isSha256));
  }

  override async sweep(endedBefore: Date, keptBefore: Date): Promise<number> {
    let swept = 0;
    for (const shard of await readdir(this.folder).catch(() => [])) {
      for (const name of await readdir(join(this.folder, shard))) {
        if (name.endsWith('.json') && (await this.isDone(join(this.folder, shard, name), endedBefore, keptBefore))) {
          await this.forget(name.slice(0, -'.json'.length));
          swept += 1;
        }
      }
    }
    return swept;
  }

  /** A permit's file is written twice at most: when it is kept and when it ends. */
  private async isDone(path: string, endedBefore: Date, keptBefore: Date): Promise<boolean> {
    try {
      const { mtime } = await stat(path);
      if (mtime < keptBefore) return true;
      if (mtime >= endedBefore) return false;
      return (JSON.parse((await readIfThere(path)) ?? '{}') as { ended?: boolean }).ended === true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  private async forget(leaseId: string): Promise<void> {
    this.cache.delete(leaseId);
    await rm(this.pathOf(leaseId, 'uploads'), { force: true });
    await rm(this.pathOf(leaseId, 'json'), { force: true });
  }

  private async write(permit: LeasePermit): Promise<void> {
    await writeWhole(
      this.pathOf(permit.leaseId, 'json'),
      JSON.stringify({ ...permit, leaseToken: String(permit.leaseToken) }),
    );
    this.cache.set(permit.leaseId, permit);
  }

  private pathOf(leaseId: string, kind: 'json' | 'uploads'): string {
    if (!isUuid(leaseId)) throw new Error('not a lease id: no file has this name');
    return join(this.folder, shardOf(leaseId), `${leaseId}.${kind}`);
  }
}

/** The end of a UUID is random; its start is the time. */
export const shardOf = (id: string): string => id.slice(-2);
