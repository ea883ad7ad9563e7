/** What a lease is about and how far it got, as the scheduler told. Times are milliseconds since the Unix epoch. */
export interface Lease {
  readonly leaseId: string;
  readonly leaseToken: bigint;
  readonly nodeId: string;
  readonly organisationId: string;
  readonly providerOrganisationId: string;
  readonly jobId: string;
  readonly gpuMilli: number;
  /** Thousandths of a standard compute unit that one GPU of the lease gives; 0: not rated. */
  readonly mscu: number;
  /** When dispatch received the agent's Running report; undefined: it never ran. */
  readonly startMs: number | undefined;
  /** The last expiry that a renewal gave; nothing after it is billable. */
  readonly expireMs: number;
  /** When the right to run ended; undefined: it goes on. */
  readonly endMs: number | undefined;
  /** When the meter first heard of the end, by its own clock; the agent's last word is waited for from then on. */
  readonly endHeardMs?: number | undefined;
  /** The node was not heard of in time: what its agent says of the lease afterwards counts for nothing. */
  readonly lost: boolean;
}

/** The end of what may be billed: the lease's end, and never past its last renewal; undefined while it goes on. */
export function billableStopMs(lease: Lease): number | undefined {
  return lease.endMs === undefined ? undefined : Math.min(lease.endMs, lease.expireMs);
}
