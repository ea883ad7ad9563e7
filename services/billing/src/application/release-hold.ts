import { DomainError, type Clock } from '@daya/kernel';
import { closeHold, neverPlaced, type Hold } from '../domain/hold';
import type { Store, Transaction } from './ports';
import { HOLD_ASSET } from './place-hold';

export interface ReleaseHoldCommand {
  /** The calling service. */
  readonly service: string;
  readonly requestId: string;
  readonly jobId: string;
}

/**
 * Frees the hold of a job that will never run. Releasing twice is one release; releasing before placing closes the hold for
 * good. Throws `precondition` HOLD_IN_USE once a lease of the job has started: from then on its end settles it.
 */
export class ReleaseHold {
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  execute({ service, requestId, jobId }: ReleaseHoldCommand): Promise<Hold> {
    const key = { scope: `service/${service}`, method: 'ReleaseHold', requestId, content: [jobId] };
    return this.store.transaction('system', (tx) => tx.requests.once(key, () => this.release(tx, jobId)));
  }

  private async release(tx: Transaction, jobId: string): Promise<Hold> {
    const { hold, payerId } = await tx.jobs.lock(jobId, undefined);
    const now = this.clock.now();
    if (hold === undefined) {
      const closed = neverPlaced(jobId, payerId, HOLD_ASSET, now);
      await tx.jobs.saveHold(closed);
      return closed;
    }
    if (hold.state !== 'open') return hold;
    if (await tx.jobs.hasStartedLeases(jobId)) {
      throw new DomainError('precondition', 'HOLD_IN_USE', 'a lease of the job has started', { job_id: jobId });
    }
    const { hold: released, transfers } = closeHold(hold, 'released', now);
    await tx.jobs.saveHold(released);
    await tx.events.append([{ type: 'hold-released', hold: released, releasedMicros: hold.remaining }]);
    await tx.ledger.post(transfers);
    return released;
  }
}
