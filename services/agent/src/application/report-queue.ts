import type { IdGenerator } from '@daya/kernel';
import type { LeaseRef, Report, ReportBody, ReportOutcome } from './messages';
import type { PlatformLink, ReportStore } from './ports';

/** Called once when the platform has decided about a report of this life. */
export type OnDecision = (outcome: ReportOutcome) => void;

/** Reports in the order in which they happened, each on disk and sent again until the platform has decided about it. */
export class ReportQueue {
  private readonly waiting: Map<string, Report>;
  private readonly listeners = new Map<string, OnDecision>();

  constructor(
    private readonly store: ReportStore,
    private readonly link: PlatformLink,
    private readonly ids: IdGenerator,
  ) {
    this.waiting = new Map(store.load().map((report) => [report.reportId, report]));
  }

  /** Stores a report, then sends it. Returns its id. */
  add(lease: LeaseRef, body: ReportBody, onDecision?: OnDecision): string {
    const report = { reportId: this.ids.next(), leaseId: lease.leaseId, leaseToken: lease.leaseToken, body };
    this.store.save(report);
    this.waiting.set(report.reportId, report);
    if (onDecision !== undefined) this.listeners.set(report.reportId, onDecision);
    this.link.send({ type: 'report', report });
    return report.reportId;
  }

  /** Sends everything that is undecided again; the platform recognises repeats by their id. */
  resend(): void {
    for (const report of this.waiting.values()) this.link.send({ type: 'report', report });
  }

  decided(reportId: string, outcome: ReportOutcome): void {
    if (!this.waiting.delete(reportId)) return;
    this.store.remove(reportId);
    const listener = this.listeners.get(reportId);
    this.listeners.delete(reportId);
    listener?.(outcome);
  }

  /** Forgets an undecided report: what it says is no longer true. */
  withdraw(reportId: string): void {
    if (!this.waiting.delete(reportId)) return;
    this.listeners.delete(reportId);
    this.store.remove(reportId);
  }
}
