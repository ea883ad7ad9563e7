import { DomainError, type Asset } from '@daya/kernel';
import { escrowAccount, walletOf } from './account';
import type { Transfer } from './transfer';

/**
 * `open`: money is set aside and charges draw on it. `released`: the rest went back, the job is settled. A hold does not
 * expire while its job lives; `expired` is for holds that an operator gives up.
 */
export const HOLD_STATES = ['open', 'released', 'expired'] as const;
export type HoldState = (typeof HOLD_STATES)[number];

export const NEXT_HOLD_STATES: Readonly<Record<HoldState, readonly HoldState[]>> = {
  open: ['released', 'expired'],
  released: [],
  expired: [],
};

/** Money set aside for one job; the job's id is the hold's id. */
export interface Hold {
  readonly jobId: string;
  readonly payerId: string;
  readonly asset: Asset;
  /** What was set aside at first; 0 of a hold that was released before it was placed. */
  readonly amount: bigint;
  readonly remaining: bigint;
  readonly feeBps: bigint;
  readonly state: HoldState;
  readonly createTime: Date;
  readonly closeTime?: Date;
}

export const holdCause = (jobId: string): string => `job:${jobId}`;

/** The row that sets the money aside; none for a job that costs nothing. */
export function placement(hold: Hold): Transfer[] {
  return hold.amount === 0n ? [] : [{ kind: 'hold', leg: 'whole', amount: hold.amount, ...common(hold) }];
}

/** Ends a hold and frees what is left of it. Throws `precondition` HOLD_STATE_CONFLICT when it has ended already. */
export function closeHold(hold: Hold, to: 'released' | 'expired', now: Date): { hold: Hold; transfers: Transfer[] } {
  if (!NEXT_HOLD_STATES[hold.state].includes(to)) {
    throw new DomainError('precondition', 'HOLD_STATE_CONFLICT', `a hold that is ${hold.state} cannot become ${to}`, {
      job_id: hold.jobId,
      state: hold.state,
    });
  }
  const kind = to === 'released' ? 'release' : 'expire';
  const rest: Transfer[] =
    hold.remaining === 0n ? [] : [{ kind, leg: 'whole', amount: hold.remaining, ...common(hold) }];
  return { hold: { ...hold, state: to, remaining: 0n, closeTime: now }, transfers: rest };
}

/** The mark that a job's hold ended before it was placed, so that a late PlaceHold cannot strand money. */
export function neverPlaced(jobId: string, payerId: string, asset: Asset, now: Date): Hold {
  return {
    jobId,
    payerId,
    asset,
    amount: 0n,
    remaining: 0n,
    feeBps: 0n,
    state: 'released',
    createTime: now,
    closeTime: now,
  };
}

function common({ jobId, payerId, asset }: Hold) {
  return {
    cause: holdCause(jobId),
    debit: walletOf(payerId, asset),
    credit: escrowAccount(asset),
    jobId,
    holdJobId: jobId,
    payerId,
  };
}
