import { DomainError, notFound, refuseInvalid, type Clock } from '@daya/kernel';
import { placement, type Hold } from '../domain/hold';
import type { BilledJob, QuoteSigner, SignedQuote, Store, Transaction } from './ports';

/** Quotes, and so holds and charges, are in dollars. */
export const HOLD_ASSET = 'USD';

export interface PlaceHoldCommand {
  readonly requestId: string;
  readonly organisationId: string;
  readonly jobId: string;
  readonly quote: SignedQuote;
}

/**
 * Sets a job's whole quote aside, or refuses with `precondition` INSUFFICIENT_FUNDS and changes nothing. The job id is the
 * retry key: a repetition gets the first hold. A hold that was released before it was placed stays released (`precondition`
 * HOLD_CLOSED), so a late call cannot strand money.
 */
export class PlaceHold {
  constructor(
    private readonly store: Store,
    private readonly signer: QuoteSigner,
    private readonly clock: Clock,
  ) {}

  async execute(command: PlaceHoldCommand): Promise<Hold> {
    const { requestId, organisationId, jobId, quote } = command;
    if (!this.signer.verify(quote)) {
      refuseInvalid([
        {
          field: 'quote.signature',
          reason: 'SIGNATURE_INVALID',
          description: 'must be billing’s own, over this quote',
        },
      ]);
    }
    const content = [jobId, quote.quoteId, quote.totalMicros, quote.feeBps];
    const key = { scope: organisationId, method: 'PlaceHold', requestId, content };
    const hold = this.holdOf(command);
    return this.store.transaction('system', async (tx) => {
      // Both are asked for at once: the job of a repeated request has its hold, so nothing is inserted.
      const inserting = tx.jobs.insertWithHold(hold);
      const answering = tx.requests.onceAs(key, hold, async () => this.place(tx, hold, await inserting));
      const [answer] = await Promise.all([answering, inserting]);
      return answer;
    });
  }

  private async place(tx: Transaction, hold: Hold, isInserted: boolean): Promise<void> {
    if (!isInserted) {
      assertPlaceable(await tx.jobs.lock(hold.jobId, hold.payerId), hold.payerId);
      await tx.jobs.saveHold(hold);
    }
    await tx.events.append([{ type: 'hold-placed', hold }]);
    await tx.ledger.post(placement(hold));
  }

  private holdOf({ organisationId, jobId, quote }: PlaceHoldCommand): Hold {
    return {
      jobId,
      payerId: organisationId,
      asset: HOLD_ASSET,
      amount: quote.totalMicros,
      remaining: quote.totalMicros,
      feeBps: BigInt(quote.feeBps),
      state: 'open',
      createTime: this.clock.now(),
    };
  }
}

function assertPlaceable({ jobId, payerId, hold, finished }: BilledJob, organisationId: string): void {
  if (payerId !== '' && payerId !== organisationId) throw notFound('job', jobId);
  if (hold?.state === 'open')
    throw new DomainError('already-exists', 'HOLD_EXISTS', 'the job has a hold', { job_id: jobId });
  if (hold !== undefined || finished) {
    throw new DomainError('precondition', 'HOLD_CLOSED', 'the job has ended or its hold was released', {
      job_id: jobId,
    });
  }
}
