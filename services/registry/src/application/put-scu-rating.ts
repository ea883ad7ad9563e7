import type { Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { checkRating, workKindOf, type GpuModel, type ScuRating } from '../domain/gpu-model';
import { found, requestScope } from './caller';
import type { Store } from './ports';

export interface PutScuRatingCommand {
  readonly requestId: string;
  readonly gpuModelId: string;
  readonly workKind: string;
  readonly mscu: number;
  readonly source: string;
}

/**
 * Adds the next version of a model's rating; the old ones stay stored. Nodes with such GPUs are told again by the sweeper,
 * since rewards go by the rating. Idempotent by request id.
 */
export class PutScuRating {
  constructor(private readonly store: Store) {}

  execute(caller: Caller, command: PutScuRatingCommand): Promise<GpuModel> {
    const { requestId, gpuModelId, workKind, mscu, source } = command;
    const fields = new Fields();
    fields.requestId(requestId);
    fields.slug('gpu_model_id', gpuModelId);
    checkRating(fields, command);
    fields.refuse();
    const kind = workKindOf(workKind) ?? 'training';
    const content = [gpuModelId, workKind, mscu, source];
    return this.store.transaction('system', (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'PutScuRating', requestId, content }, async () => {
        const model = found(await tx.market.lockModel(gpuModelId), 'gpu model', gpuModelId);
        const before = model.scuRatings.find((rating) => rating.workKind === kind);
        const rating: ScuRating = { workKind: kind, mscu, source, ratingVersion: (before?.ratingVersion ?? 0) + 1 };
        const version = model.version + 1n;
        await tx.market.addRating(gpuModelId, rating, version);
        if (kind === 'training') await tx.fleet.markForAnnouncement(gpuModelId);
        const others = model.scuRatings.filter((one) => one.workKind !== kind);
        return { ...model, scuRatings: [...others, rating], version };
      }),
    );
  }
}
