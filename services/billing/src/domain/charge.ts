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
  /** The cumulative time up to which the lease has been charged. */
  readonly chargedMs: bigint;
  /** What it has been charged so far, net of what was taken back. */
  readonly charged: Split;
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
 * pay all of it, and the rest is never collected.
 */
export const CHARGE_OUTCOMES = ['charged', 'free', 'fault', 'capped'] as const;
export type ChargeOutcome = (typeof CHARGE_OUTCOMES)[number];

/** One window's charge; written once, whatever becomes of it later. */
export interface Charge extends Split {
  readonly usageId: string;
  readonly leaseId: string;
  readonly outcome: ChargeOutcome;
  /** The part of the lease's time that this charge is for. */
  readonly billableMs: bigint;
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

export const isWaived = (lease: BilledLease): boolean => lease.waivedReason !== '';

/**
 * What a window adds to what its lease was charged before. Windows carry the lease's cumulative time, so an earlier window
 * that arrives late adds nothing, and no way of cutting the time and no order of arrival changes the total.
 */
export function owedFor(lease: BilledLease, window: UsageWindow, feeBps: bigint): Split {
  return splitBetween({ ...lease, feeBps }, lease.chargedMs, chargedUpTo(lease, window));
}

export function chargedUpTo(lease: BilledLease, { cumulativeMs }: UsageWindow): bigint {
  return cumulativeMs > lease.chargedMs ? cumulativeMs : lease.chargedMs;
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
