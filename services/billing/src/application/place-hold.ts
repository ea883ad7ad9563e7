import { DomainError, notFound, refuseInvalid, type Clock } from '@daya/kernel';
import { placement, type Hold } from '../domain/hold';
import type { BilledJob, QuoteSigner, RequestKey, SignedQuote, Store, Transaction } from './ports';

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
    return this.store
      .transaction('system', (tx) => this.placeFirst(tx, key, hold))
      .catch((error: unknown) => {
        if (!isKnown(error)) throw error;
        return this.store.transaction('system', (tx) =>
          tx.requests.onceAs(key, hold, () => this.placeOnKnown(tx, hold)),
        );
      });
  }

  /** In one go: nearly every hold is the first that anybody hears of its job. */
  private async placeFirst(tx: Transaction, key: RequestKey, hold: Hold): Promise<Hold> {
    await tx.requests.claim(key, hold);
    await tx.jobs.insertWithHold(hold);
    await this.post(tx, hold);
    return hold;
  }

  private async placeOnKnown(tx: Transaction, hold: Hold): Promise<void> {
    assertPlaceable(await tx.jobs.lock(hold.jobId, hold.payerId), hold.payerId);
    await tx.jobs.saveHold(hold);
    await this.post(tx, hold);
  }

  private async post(tx: Transaction, hold: Hold): Promise<void> {
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

/** The request or the job is not new: its answer, or what is known of it, decides. */
const isKnown = (error: unknown): boolean =>
  error instanceof DomainError && ['REQUEST_KNOWN', 'JOB_KNOWN'].includes(error.reason);

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
