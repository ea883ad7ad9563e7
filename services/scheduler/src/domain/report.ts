import { endRun, endOfExit, refusedEnd } from './run-end';
import { isEnded, notAfter, notBefore, type Run } from './lease';
import { moved, RUN_NEXT } from './states';

export interface Artifact {
  readonly path: string;
  readonly bytes: bigint;
  readonly sha256: string;
}

export type ReportBody =
  | { readonly kind: 'ACCEPTED' }
  | { readonly kind: 'REFUSED'; readonly reason: string }
  | { readonly kind: 'RUNNING' }
  | {
      readonly kind: 'EXITED';
      readonly exitCode: number;
      readonly reason: string;
      readonly cumulativeMs: bigint;
      readonly artifacts: readonly Artifact[];
    };

/** One report of an agent, as dispatch received it. */
export interface LeaseReport {
  readonly reportId: string;
  readonly nodeId: string;
  readonly leaseId: string;
  readonly leaseToken: bigint;
  readonly receiveTime: Date;
  readonly body: ReportBody;
}

export type ReportOutcome = 'APPLIED' | 'DUPLICATE' | 'STALE' | 'REFUSED';

export interface ReportDecision {
  readonly outcome: ReportOutcome;
  readonly reason: string;
  /** The run afterwards; the same object when nothing changed. */
  readonly run: Run | undefined;
  /** Artifacts of the result that was accepted. */
  readonly artifacts: readonly Artifact[];
}

/**
 * What one report does to the lease that it names. Only a live lease, named with its own token by its own node, changes; a
 * late word about an ended one is stale, but an Exited still frees its GPUs early.
 */
export function decideReport(run: Run | undefined, report: LeaseReport, now: Date): ReportDecision {
  const decline = (outcome: ReportOutcome, reason: string, changed = run): ReportDecision => ({
    outcome,
    reason,
    run: changed,
    artifacts: [],
  });
  if (!run || run.terms.nodeId !== report.nodeId)
    return { outcome: 'REFUSED', reason: 'LEASE_UNKNOWN', run: undefined, artifacts: [] };
  if (run.terms.leaseToken !== report.leaseToken) return decline('STALE', 'TOKEN_STALE');
  if (isEnded(run)) {
    const confirmed = report.body.kind === 'EXITED' && !run.closeTime;
    return decline('STALE', 'LEASE_ENDED', confirmed ? { ...run, closeTime: now } : run);
  }
  return applyToLive(run, report, notBefore(notAfter(report.receiveTime, now), run.terms.grantTime), now);
}

function applyToLive(run: Run, { body }: LeaseReport, receiveTime: Date, now: Date): ReportDecision {
  const applied = (changed: Run): ReportDecision => ({ outcome: 'APPLIED', reason: '', run: changed, artifacts: [] });
  switch (body.kind) {
    case 'ACCEPTED':
      // A repetition under another id: the agent has said more since.
      return applied(run.state === 'OFFERED' ? { ...run, state: 'ACCEPTED' } : run);
    case 'REFUSED':
      if (run.state === 'RUNNING') return { outcome: 'STALE', reason: 'RUN_STATE_CONFLICT', run, artifacts: [] };
      return applied({ ...endRun(run, refusedEnd(body.reason), receiveTime), closeTime: now });
    case 'RUNNING':
      if (run.state === 'RUNNING') return applied(run);
      return applied({ ...run, state: moved(RUN_NEXT, run.state, 'RUNNING'), startTime: receiveTime });
    case 'EXITED': {
      const endTime = notBefore(receiveTime, run.startTime ?? run.terms.grantTime);
      const ended = { ...endRun(run, endOfExit(body.reason, body.exitCode), endTime), closeTime: now };
      return { ...applied(ended), artifacts: ended.state === 'SUCCEEDED' ? body.artifacts : [] };
    }
  }
}
