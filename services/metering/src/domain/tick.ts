import type { Lease } from './lease';

/** One signed counter reading, with where it came from. */
export interface Tick {
  readonly nodeId: string;
  readonly bootId: string;
  readonly sequence: bigint;
  readonly leaseId: string;
  readonly leaseToken: bigint;
  readonly cumulativeMs: bigint;
  readonly final: boolean;
  readonly receiveMs: number;
}

/** Why a tick counts zero. Stable, part of the contract. */
export type TickRefusal =
  | 'BAD_SIGNATURE'
  | 'NODE_REVOKED'
  | 'NOT_THIS_NODE'
  | 'STALE_TOKEN'
  | 'LEASE_ENDED'
  | 'COUNTER_WENT_BACK'
  | 'SEQUENCE_REUSED'
  | 'LEASE_NEVER_CAME';

export type Verdict =
  | { readonly state: 'accepted' }
  | { readonly state: 'waiting' }
  | { readonly state: 'refused'; readonly reason: TickRefusal };

/** A tick waits this long for news of its lease. */
export const TICK_PATIENCE_MS = 45 * 86_400_000;

/** Whether a tick counts. `counterMs` is the highest reading of this lease that was accepted so far. */
export function judge(tick: Tick, lease: Lease | undefined, counterMs: bigint): Verdict {
  if (lease === undefined) return { state: 'waiting' };
  if (lease.nodeId !== tick.nodeId) return refused('NOT_THIS_NODE');
  if (lease.leaseToken !== tick.leaseToken) return refused('STALE_TOKEN');
  if (lease.lost && lease.endMs !== undefined && tick.receiveMs > lease.endMs) return refused('LEASE_ENDED');
  if (tick.cumulativeMs < counterMs) return refused('COUNTER_WENT_BACK');
  return { state: 'accepted' };
}

const refused = (reason: TickRefusal): Verdict => ({ state: 'refused', reason });
