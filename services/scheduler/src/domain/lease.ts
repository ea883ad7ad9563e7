import type { Fault, RunState } from './states';
import { isFinalRun } from './states';

/** What a lease is about; fixed when it is granted. */
export interface LeaseTerms {
  readonly leaseId: string;
  /** Counts per node; a higher one supersedes. */
  readonly leaseToken: bigint;
  readonly nodeId: string;
  readonly providerId: string;
  readonly providerOrganisationId: string;
  readonly organisationId: string;
  readonly projectId: string;
  readonly jobId: string;
  readonly taskId: string;
  readonly taskIndex: number;
  readonly runNumber: number;
  /** Empty for a canary. */
  readonly offerId: string;
  readonly offerVersion: bigint;
  readonly gpuModelId: string;
  readonly gpuUuids: readonly string[];
  readonly gpuMilli: number;
  readonly priceMicrosPerGpuHour: bigint;
  readonly emulated: boolean;
  readonly canary: boolean;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
  readonly grantTime: Date;
  /** Unanswered until then, the offer is withdrawn. */
  readonly answerTime: Date;
  /** The run's share of the task's budget. */
  readonly maxRunMs: number;
}

export type StopReason = 'CANCELLED' | 'EXPIRED' | 'SUPERSEDED';

/** One attempt at a task, and the lease that allows it. */
export interface Run {
  readonly terms: LeaseTerms;
  readonly state: RunState;
  /** When dispatch received the agent's Running report. */
  readonly startTime: Date | undefined;
  /** The right to run ended. */
  readonly endTime: Date | undefined;
  /** Its GPUs are free again. */
  readonly closeTime: Date | undefined;
  /** The last end that a renewal gave. */
  readonly expireTime: Date;
  readonly exitCode: number;
  readonly reason: string;
  readonly fault: Fault | undefined;
  readonly stopReason: StopReason | undefined;
  /** Events of this lease so far. */
  readonly eventVersion: bigint;
}

export const isEnded = (run: Run): boolean => isFinalRun(run.state);

/** How a run ends. */
export interface RunEnd {
  readonly state: RunState;
  readonly reason: string;
  readonly fault: Fault;
  readonly exitCode: number;
}

/** Latest moment that may be billed or stored for a report: what dispatch says it received, but never later than now. */
export const notAfter = (time: Date, limit: Date): Date => (time.getTime() > limit.getTime() ? limit : time);
export const notBefore = (time: Date, limit: Date): Date => (time.getTime() < limit.getTime() ? limit : time);
