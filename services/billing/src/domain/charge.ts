import type { Asset } from '@daya/kernel';
import { feeAccount, payableOf, walletOf } from './account';
import { splitBetween, type Split } from './rate';
import { reversalOf, type Leg, type Transfer } from './transfer';

/** What a lease is about; fixed when it is granted, so the price travelled with the scheduler's event. */
export interface LeaseTerms {
  readonly leaseId: string;
  readonly jobId: string;
  readonly payerId: string;
  readonly payeeId: string;
  readonly asset: Asset;
  readonly providerId: string;
  readonly nodeId: string;
  readonly taskIndex: number;
  readonly runNumber: number;
  readonly gpuModelId: string;
  readonly gpuMilli: number;
  readonly priceMicrosPerGpuHour: bigint;
  readonly emulated: boolean;
}

/** A lease and how far billing is with it. */
export interface BilledLease extends LeaseTerms {
  readonly started: boolean;
  readonly ended: boolean;
  /** Why the run costs nothing, whatever was measured (it ended by the provider's or the platform's fault); else empty. */
  readonly waivedReason: string;
  /** Its billable time in all, by the latest word of metering; a correction can lower it. */
  readonly billableMs: bigint;
  /** The cumulative time up to which the lease has been charged. */
  readonly chargedMs: bigint;
  /** What it has been charged so far, net of what was taken back. */
  readonly charged: Split;
  /** What was owed after the job was settled and could not be paid; never asked for again. */
  readonly writtenOff: bigint;
  /** Metering has said that no window follows. */
  readonly finalUsageIn: boolean;
}

/** One reconciled stretch of use, as metering recorded it. */
export interface UsageWindow {
  readonly usageId: string;
  readonly leaseId: string;
  /** Billable time of the lease from its start to the end of this window. */
  readonly cumulativeMs: bigint;
}

/**
 * Why a window was charged what it was. `free`: the price is 0. `fault`: the run costs nothing. `capped`: the hold could not
 * pay all of it. `noted`: it came after its job was settled, and whatever it changes is a note's.
 */
export const CHARGE_OUTCOMES = ['charged', 'free', 'fault', 'capped', 'noted'] as const;
export type ChargeOutcome = (typeof CHARGE_OUTCOMES)[number];

/** One window's charge; written once, whatever becomes of it later. */
export interface Charge extends Split {
  readonly usageId: string;
  readonly leaseId: string;
  readonly outcome: ChargeOutcome;
  /** The part of the lease's time that this charge is for, and the cumulative time at which that part ends. */
  readonly billableMs: bigint;
  readonly upToMs: bigint;
}

export const usageCause = (usageId: string): string => `usage:${usageId}`;

export type Fault = 'none' | 'customer' | 'provider' | 'platform';

/** Why a run that ended this way costs nothing; empty when it is charged. One that never started has nothing to charge. */
export function waivedReason(fault: Fault, started: boolean): string {
  if (fault === 'provider') return 'PROVIDER_FAULT';
  if (fault === 'platform') return 'PLATFORM_FAULT';
  return started ? '' : 'NEVER_STARTED';
}

/** The lease after a charge. */
export function withCharge(lease: BilledLease, { billableMs, charge, fee, provider }: Charge): BilledLease {
  const charged = {
    charge: lease.charged.charge + charge,
    fee: lease.charged.fee + fee,
    provider: lease.charged.provider + provider,
  };
  return { ...lease, chargedMs: lease.chargedMs + billableMs, charged };
}

/** The lease after a charge was taken back. */
export function withoutCharge(lease: BilledLease, { billableMs, charge, fee, provider, ...rest }: Charge): BilledLease {
  return withCharge(lease, { ...rest, billableMs: -billableMs, charge: -charge, fee: -fee, provider: -provider });
}

/**
 * The live charges of a lease that no longer hold: all that cost something when the run is waived; else, newest first, those
 * beyond what metering now calls billable. What a correction leaves of the oldest of them is charged again with it.
 */
export function chargesToTakeBack(lease: BilledLease, live: readonly Charge[]): Charge[] {
  const own = live.filter((charge) => charge.leaseId === lease.leaseId);
  if (isWaived(lease)) return own.filter((charge) => charge.charge > 0n);
  return own.filter((charge) => charge.billableMs > 0n && charge.upToMs > lease.billableMs);
}

export const isWaived = (lease: BilledLease): boolean => lease.waivedReason !== '';

/**
 * What a window adds to what its lease was charged before. Windows carry the lease's cumulative time, so an earlier window
 * that arrives late adds nothing, and no way of cutting the time and no order of arrival changes the total.
 */
export function owedFor(lease: BilledLease, window: UsageWindow, feeBps: bigint): Split {
  return splitBetween({ ...lease, feeBps }, lease.chargedMs, chargedUpTo(lease, window));
}

/** Never beyond what is billable now: a window that was corrected since it was sent is not believed. */
export function chargedUpTo({ chargedMs, billableMs }: BilledLease, { cumulativeMs }: UsageWindow): bigint {
  const believed = cumulativeMs < billableMs ? cumulativeMs : billableMs;
  return believed > chargedMs ? believed : chargedMs;
}

/** The rows of one charge: the provider's share and the fee, each paid out of the job's hold. */
export function postingsOf(lease: BilledLease, { usageId, provider, fee }: Charge): Transfer[] {
  const common = {
    kind: 'post' as const,
    cause: usageCause(usageId),
    debit: walletOf(lease.payerId, lease.asset),
    jobId: lease.jobId,
    holdJobId: lease.jobId,
    payerId: lease.payerId,
  };
  const legs: { leg: Leg; amount: bigint; credit: Transfer['credit']; payeeId?: string }[] = [
    { leg: 'provider', amount: provider, credit: payableOf(lease.payeeId, lease.asset), payeeId: lease.payeeId },
    { leg: 'fee', amount: fee, credit: feeAccount(lease.asset) },
  ];
  return legs.filter(({ amount }) => amount > 0n).map((leg) => ({ ...common, ...leg }));
}

/** The rows that undo a charge; each names the row it undoes. */
export function reversalsOf(lease: BilledLease, charge: Charge, holdIsOpen: boolean): Transfer[] {
  return postingsOf(lease, charge).map((posting) => reversalOf(posting, holdIsOpen));
}
