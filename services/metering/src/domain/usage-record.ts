import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Lease } from './lease';
import type { UsageWindow } from './usage';

/** A window as the world sees it: its own share and the sum so far. Milliseconds. */
export interface UsageRecord {
  readonly usageId: string;
  readonly lease: Lease;
  readonly window: UsageWindow;
  readonly schedulerMs: bigint;
  readonly agentMs: bigint;
  readonly billableMs: bigint;
  /** mSCU × ms, all GPUs of the lease. */
  readonly mscuMs: bigint;
}

/** The same lease, window and version always give the same id, so that replays collapse (RFC 9562, version 8). */
export function usageIdOf(leaseId: string, windowStartMs: number, version: number): string {
  const hex = bytesToHex(sha256(utf8ToBytes(`${leaseId}/${windowStartMs}/${version}`)));
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** `previous` is the window before this one; undefined for the first. */
export function recordOf(lease: Lease, window: UsageWindow, previous: UsageWindow | undefined): UsageRecord {
  const billableMs = window.billableCumulativeMs - (previous?.billableCumulativeMs ?? 0n);
  const agentMs = window.agentCumulativeMs - (previous?.agentCumulativeMs ?? 0n);
  return {
    usageId: usageIdOf(lease.leaseId, window.startMs, window.version),
    lease,
    window,
    schedulerMs: BigInt(window.endMs - window.startMs),
    agentMs: agentMs > 0n ? agentMs : 0n,
    billableMs,
    mscuMs: (billableMs * BigInt(lease.mscu) * BigInt(lease.gpuMilli)) / 1_000n,
  };
}
