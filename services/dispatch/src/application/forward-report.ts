import { DomainError, type Clock } from '@daya/kernel';
import { reportSettled } from '../domain/agent-session';
import type { Report } from '../domain/frames';
import { faultOf } from '../domain/report-rules';
import type { AgentStream } from './agent-stream';
import type { FindPermit } from './find-permit';
import type { ArtifactStore, Counters, LeasePermits, ReportResult } from './ports';
import type { SchedulerDesk } from './scheduler-desk';

/**
 * Carries a report to the scheduler and its outcome back. Nothing is acknowledged that the scheduler has not decided;
 * what it did not answer the agent sends again. A foreign lease and a stale token are the scheduler's to refuse and record.
 */
export class ForwardReport {
  constructor(
    private readonly desk: SchedulerDesk,
    private readonly artifacts: ReportedArtifacts,
    private readonly permits: LeasePermits,
    private readonly counters: Counters,
    private readonly clock: Clock,
  ) {}

  async execute(stream: AgentStream, report: Report): Promise<void> {
    const receiveTime = this.clock.now();
    try {
      const { outcome, reason } = await this.resultOf(stream.nodeId, report, receiveTime);
      const settled = outcome === 'APPLIED' || outcome === 'DUPLICATE';
      if (settled && report.body?.kind === 'exited') await this.permits.end(report.leaseId);
      this.counters.report(outcome, reason);
      stream.send({ kind: 'report-ack', reportId: report.reportId, outcome, reason });
    } finally {
      stream.session = reportSettled(stream.session, report.reportId);
    }
  }

  /** Reports without files wait for the same thing at most, so those of a lease keep their order. */
  private async resultOf(nodeId: string, report: Report, receiveTime: Date): Promise<ReportResult> {
    // Once the scheduler knows of an answer it gives no permit any more: it must be safe by then.
    await this.permits.kept(report.leaseId);
    const fault =
      faultOf(report) ?? (report.body?.kind === 'exited' ? await this.artifacts.faultOf(nodeId, report) : undefined);
    if (fault !== undefined) return { outcome: 'REFUSED', reason: fault };
    try {
      return await this.desk.report({ nodeId, receiveTime, report });
    } catch (error) {
      // Repeating it would not help, so the agent must hear it.
      if (error instanceof DomainError && error.kind === 'invalid') return { outcome: 'REFUSED', reason: error.reason };
      throw error;
    }
  }
}

/** Whether the files that an exit report names are here, uploaded by this very lease. */
export class ReportedArtifacts {
  constructor(
    private readonly findPermit: FindPermit,
    private readonly permits: LeasePermits,
    private readonly store: ArtifactStore,
  ) {}

  /**
   * A hash that the lease did not upload is refused even when the store has the blob: knowing a hash must not make its
   * content anybody's. Leases of others and stale tokens are left to the scheduler.
   */
  async faultOf(nodeId: string, { leaseId, leaseToken, body }: Report): Promise<string | undefined> {
    if (body?.kind !== 'exited' || body.artifacts.length === 0) return undefined;
    const permit = await this.findPermit.execute(leaseId);
    if (permit !== undefined && (permit.nodeId !== nodeId || permit.leaseToken !== leaseToken)) return undefined;
    const uploads = await this.permits.uploadsOf(leaseId);
    for (const { sha256, bytes } of body.artifacts) {
      if (!uploads.has(sha256)) return 'ARTIFACT_NOT_UPLOADED';
      const stored = await this.store.sizeOf(sha256);
      if (stored === undefined) return 'ARTIFACT_NOT_UPLOADED';
      if (BigInt(stored) !== bytes) return 'ARTIFACT_SIZE_MISMATCH';
    }
    return undefined;
  }
}
