import { refuseInvalid } from '@daya/kernel';
import { isEnded, type Run } from '../domain/lease';
import { decideReport, type LeaseReport, type ReportDecision, type ReportOutcome } from '../domain/report';
import { validateReports } from '../domain/validate-report';
import { applyRuns, type Applied } from './apply-runs';
import type { MarketState } from './market-state';
import { reportKey, type LockedRun, type RecordedReport, type Store, type Transaction } from './ports';

export interface ReportResult {
  readonly reportId: string;
  readonly outcome: ReportOutcome;
  readonly reason: string;
}

/**
 * Applies agents' reports, each once and in order, in one transaction. Late and foreign words are recorded and change
 * nothing. Throws `invalid` with the index of every malformed report, `unavailable` NOT_LEADING, `aborted` WRITER_FENCED.
 */
export class ReportLeases {
  constructor(
    private readonly store: Store,
    private readonly state: MarketState,
  ) {}

  async execute(reports: readonly LeaseReport[]): Promise<ReportResult[]> {
    refuseInvalid(validateReports(reports));
    const rangeId = this.state.rangeId;
    const now = this.state.now();
    const { results, applied } = await this.store.transaction('system', async (tx) => {
      await tx.leases.requireRange(rangeId);
      const locked = await tx.leases.lock([...new Set(reports.map(({ leaseId }) => leaseId))]);
      return applyReports(tx, this.state.withRenewals(locked), reports, now);
    });
    this.remember(applied, reports);
    return results;
  }

  private remember({ runs, requeued }: Applied, reports: readonly LeaseReport[]): void {
    for (const run of runs) {
      this.state.apply(run);
      if (deservesPause(run)) this.state.penalise(run.terms.nodeId);
      else if (run.state === 'RUNNING' || run.state === 'SUCCEEDED') this.state.forgive(run.terms.nodeId);
    }
    for (const { leaseId, body, receiveTime } of reports) {
      const lease = body.kind === 'ACCEPTED' ? this.state.book.get(leaseId) : undefined;
      if (lease) lease.acceptAtMs ??= receiveTime.getTime();
    }
    for (const { job, task } of requeued) this.state.addWaiting(job, [task]);
    if (requeued.length > 0 || runs.some(({ closeTime }) => closeTime)) this.state.wake();
  }
}

/** Whoever refuses is not asked again at once, whatever the reason; only a provider's fault counts in its reliability. */
const deservesPause = (run: Run): boolean =>
  run.state === 'REFUSED' || (isEnded(run) && run.fault === 'PROVIDER' && run.state !== 'LOST');

async function applyReports(
  tx: Transaction,
  lockedRuns: readonly LockedRun[],
  reports: readonly LeaseReport[],
  now: Date,
): Promise<{ results: ReportResult[]; applied: Applied }> {
  const locked = new Map(lockedRuns.map((one) => [one.run.terms.leaseId, one]));
  // After the locks: a racing repetition has then committed what it did.
  const seen = await tx.leases.seenReports(reports);
  const current = new Map<string, Run>();
  const decided: RecordedReport[] = [];
  const results: ReportResult[] = [];
  const accepted: { run: Run; decision: ReportDecision }[] = [];
  for (const report of reports) {
    const before = seen.get(reportKey(report));
    if (before !== undefined) {
      results.push({
        reportId: report.reportId,
        outcome: before === 'APPLIED' ? 'DUPLICATE' : before,
        reason: before === 'APPLIED' ? '' : 'REPEATED',
      });
      continue;
    }
    const decision = decideReport(current.get(report.leaseId) ?? locked.get(report.leaseId)?.run, report, now);
    if (decision.run) current.set(report.leaseId, decision.run);
    if (decision.run && decision.artifacts.length > 0) accepted.push({ run: decision.run, decision });
    seen.set(reportKey(report), decision.outcome);
    decided.push({ report, outcome: decision.outcome, reason: decision.reason });
    results.push({ reportId: report.reportId, outcome: decision.outcome, reason: decision.reason });
  }
  await tx.leases.recordReports(decided);
  for (const { run, decision } of accepted) await tx.leases.addArtifacts(run, decision.artifacts);
  return { results, applied: await applyRuns(tx, changesOf(locked, current), now) };
}

function changesOf(
  locked: ReadonlyMap<string, LockedRun>,
  current: ReadonlyMap<string, Run>,
): { before: LockedRun; after: Run }[] {
  return [...current].flatMap(([leaseId, after]) => {
    const before = locked.get(leaseId);
    return before && before.run !== after ? [{ before, after }] : [];
  });
}
