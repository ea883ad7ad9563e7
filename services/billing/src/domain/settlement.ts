import {
  chargedUpTo,
  chargesToTakeBack,
  isWaived,
  owedFor,
  postingsOf,
  reversalsOf,
  withCharge,
  withoutCharge,
  type BilledLease,
  type Charge,
  type UsageWindow,
} from './charge';
import { closeHold, type Hold } from './hold';
import { notesFor, type Note } from './note';
import { NOTHING, capSplit } from './rate';
import { holdEffectOf, type Transfer } from './transfer';

/** Everything that has arrived for one job and still matters, in whatever order it arrived. */
export interface JobFacts {
  readonly jobId: string;
  /** Undefined until it is placed; a canary never has one. */
  readonly hold: Hold | undefined;
  /** The scheduler said that nothing of the job runs any more or will. */
  readonly finished: boolean;
  readonly startedLeaseIds: readonly string[];
  readonly settled: boolean;
  readonly leases: readonly BilledLease[];
  /** Windows that have not been charged yet. */
  readonly waiting: readonly UsageWindow[];
  /** Live charges of the leases that were charged more than they now owe. */
  readonly overcharged: readonly Charge[];
}

/** What follows from the facts; the caller writes all of it in the transaction in which it read them. */
export interface Settlement {
  /** Charges that are taken back. */
  readonly reversed: readonly Charge[];
  readonly charges: readonly Charge[];
  /** In the order in which they apply: reversals, postings, the release. */
  readonly transfers: readonly Transfer[];
  /** The hold afterwards. */
  readonly hold: Hold | undefined;
  /** What late usage changes of a job that was settled before; debits are not yet known to be covered. */
  readonly notes: readonly Note[];
  /** Leases of such a job whose late usage is taken in: their time is billed up to what is billable now. */
  readonly measured: readonly string[];
  /** The job is settled by this: every lease is paid for, the rest of the hold is released, its invoice is final. */
  readonly settles: boolean;
}

/**
 * Brings a job's money in line with the facts. Called again after every new fact, it gives the same end whatever the order
 * and repetition of facts, because nothing is decided by what arrived first:
 * 1. charges of runs that ended by fault, and of time that a correction took away, go back into the hold;
 * 2. windows are charged while the hold can pay for them; one that it cannot pay waits, since a run at fault may still give
 *    its money back;
 * 3. when the job has finished and nothing of any started lease is missing, what still waits is charged as far as the hold
 *    goes, and the rest of the hold is released.
 */
export function settle(facts: JobFacts, now: Date): Settlement {
  if (facts.settled) return settleLate(facts);
  const ledger = new JobLedger(facts.hold, facts.leases);
  ledger.takeBack(facts.overcharged);
  const settles = nothingIsMissing(facts);
  for (const window of facts.waiting.toSorted(byLeaseAndTime)) ledger.charge(window, settles);
  if (settles) ledger.release(now);
  return {
    reversed: ledger.reversed,
    charges: ledger.charges,
    transfers: ledger.transfers,
    hold: ledger.hold,
    notes: [],
    measured: [],
    settles,
  };
}

/**
 * Usage of a settled job: its hold is gone and its invoice is final, so what late records change moves by notes between the
 * payer's wallet and those who were paid. In the end the job has cost what it would have, had the last records come first.
 * A lease that nobody knows the end of waits for it: its run may have been at fault.
 */
function settleLate({ hold, leases, waiting }: JobFacts): Settlement {
  const byId = new Map(leases.map((lease) => [lease.leaseId, lease]));
  const ready = waiting.toSorted(byLeaseAndTime).filter(({ leaseId }) => byId.get(leaseId)?.ended === true);
  const charges = ready.map((window): Charge => {
    const lease = byId.get(window.leaseId) as BilledLease;
    const key = { usageId: window.usageId, leaseId: lease.leaseId, billableMs: 0n, upToMs: chargedUpTo(lease, window) };
    return { ...key, ...NOTHING, outcome: lateOutcome(lease) };
  });
  return {
    reversed: [],
    charges,
    transfers: [],
    hold,
    notes: hold === undefined ? [] : notesFor(hold, leases, ready),
    measured: [...new Set(ready.map(({ leaseId }) => leaseId))],
    settles: false,
  };
}

const lateOutcome = (lease: BilledLease): Charge['outcome'] => {
  if (isWaived(lease)) return 'fault';
  return lease.priceMicrosPerGpuHour === 0n ? 'free' : 'noted';
};

/** A run at fault costs nothing, so the job does not wait for its usage. */
function nothingIsMissing({ finished, startedLeaseIds, leases }: JobFacts): boolean {
  if (!finished) return false;
  const known = new Set(leases.map((lease) => lease.leaseId));
  if (startedLeaseIds.some((leaseId) => !known.has(leaseId))) return false;
  return leases.every((lease) => lease.ended && (isWaived(lease) || lease.finalUsageIn));
}

/** The running state of one settlement. */
class JobLedger {
  readonly reversed: Charge[] = [];
  readonly charges: Charge[] = [];
  readonly transfers: Transfer[] = [];
  private readonly leases: Map<string, BilledLease>;

  constructor(
    public hold: Hold | undefined,
    leases: readonly BilledLease[],
  ) {
    this.leases = new Map(leases.map((lease) => [lease.leaseId, lease]));
  }

  takeBack(live: readonly Charge[]): void {
    for (const lease of this.leases.values()) {
      for (const charge of chargesToTakeBack(lease, live)) {
        this.reversed.push(charge);
        this.apply(reversalsOf(lease, charge, this.hold?.state === 'open'));
        this.leases.set(lease.leaseId, withoutCharge(this.lease(lease.leaseId), charge));
      }
    }
  }

  charge(window: UsageWindow, mayCap: boolean): void {
    const charge = this.chargeFor(window, mayCap);
    if (charge === undefined) return;
    const lease = this.lease(window.leaseId);
    this.charges.push(charge);
    this.apply(postingsOf(lease, charge));
    this.leases.set(lease.leaseId, withCharge(lease, charge));
  }

  release(now: Date): void {
    if (this.hold?.state !== 'open') return;
    const { hold, transfers } = closeHold(this.hold, 'released', now);
    this.transfers.push(...transfers);
    this.hold = hold;
  }

  private chargeFor(window: UsageWindow, mayCap: boolean): Charge | undefined {
    const lease = this.lease(window.leaseId);
    const upToMs = chargedUpTo(lease, window);
    const key = { usageId: window.usageId, leaseId: lease.leaseId, billableMs: upToMs - lease.chargedMs, upToMs };
    if (isWaived(lease)) return { ...key, ...NOTHING, outcome: 'fault' };
    if (lease.priceMicrosPerGpuHour === 0n) return { ...key, ...NOTHING, outcome: 'free' };
    if (this.hold === undefined) return undefined;
    const { feeBps, remaining, state } = this.hold;
    const owed = owedFor(lease, window, feeBps);
    if (owed.charge <= remaining) return { ...key, ...owed, outcome: 'charged' };
    return mayCap || state !== 'open'
      ? { ...key, ...capSplit(lease.charged, owed, remaining, feeBps), outcome: 'capped' }
      : undefined;
  }

  private apply(transfers: readonly Transfer[]): void {
    this.transfers.push(...transfers);
    if (this.hold === undefined) return;
    const remaining = transfers.reduce((sum, transfer) => sum + holdEffectOf(transfer), this.hold.remaining);
    this.hold = { ...this.hold, remaining };
  }

  private lease(leaseId: string): BilledLease {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) throw new Error(`lease ${leaseId} is not among the facts`);
    return lease;
  }
}

function byLeaseAndTime(left: UsageWindow, right: UsageWindow): number {
  if (left.leaseId !== right.leaseId) return left.leaseId < right.leaseId ? -1 : 1;
  if (left.cumulativeMs !== right.cumulativeMs) return left.cumulativeMs < right.cumulativeMs ? -1 : 1;
  return left.usageId < right.usageId ? -1 : 1;
}
