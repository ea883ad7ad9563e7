import { isUuid } from '@daya/kernel';
import { join } from 'node:path';
import { AgentBoots } from '../../application/ports';
import { LruMap } from './lru-map';
import { shardOf } from './permit-folder';
import { readIfThere, writeWhole } from './small-files';

const CACHED_MAX = 50_000;

/** nodes/<two digits>/<node>: the boot id in which a node was last heard. */
export class BootFolder extends AgentBoots {
  private readonly cache = new LruMap<string>(CACHED_MAX);

  constructor(private readonly folder: string) {
    super();
  }

  override async bootOf(nodeId: string): Promise<string | undefined> {
    return this.cache.get(nodeId) ?? (await readIfThere(this.pathOf(nodeId)))?.trim();
  }

  override async remember(nodeId: string, bootId: string): Promise<void> {
    this.cache.set(nodeId, bootId);
    await writeWhole(this.pathOf(nodeId), `${bootId}\n`);
  }

  private pathOf(nodeId: string): string {
    if (!isUuid(nodeId)) throw new Error('not a node id: no file has this name');
    return join(this.folder, shardOf(nodeId), nodeId);
  }
}
