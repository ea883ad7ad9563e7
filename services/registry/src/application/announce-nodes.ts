import { changed } from '../domain/organisation';
import type { Store } from './ports';
import { saveAndTell } from './tell-node';

const BATCH = 100;

/** Tells nodes again whose GPU's rating changed, a batch at a time. */
export class AnnounceNodes {
  constructor(private readonly store: Store) {}

  /** Returns how many were told. */
  execute(): Promise<number> {
    return this.store.transaction('system', async (tx) => {
      const nodes = await tx.fleet.takeMarked(BATCH);
      await saveAndTell(tx, ...nodes.map((node) => changed(node, {})));
      return nodes.length;
    });
  }
}
