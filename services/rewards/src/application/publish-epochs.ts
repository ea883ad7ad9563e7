import type { EpochStore, Publication } from './ports';

/** Publishes what was closed, oldest first, and announces each epoch once its files are there. A crash publishes it again. */
export class PublishEpochs {
  constructor(
    private readonly store: EpochStore,
    private readonly publication: Publication,
  ) {}

  /** Answers how many epochs it published. */
  async execute(): Promise<number> {
    for (let published = 0; ; published++) {
      const next = await this.store.nextUnpublished();
      if (next === undefined) return published;
      await this.publication.publish(next.asset, next.epoch, next.files);
      await this.store.markPublished(next.asset, next.epoch);
    }
  }
}
