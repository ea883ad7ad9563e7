import { DomainError } from '@daya/kernel';
import type { FundJob } from './fund-job';
import type { MarketState } from './market-state';
import type { MarketQueries } from './ports';

const JOBS_MAX = 100;

/** Asks billing again about jobs whose money has been unanswered for a while, also those cancelled in that time. */
export class SweepFunding {
  constructor(
    private readonly queries: MarketQueries,
    private readonly fund: FundJob,
    private readonly state: MarketState,
  ) {}

  /** Stops at the first job that billing does not answer for; the next sweep goes on. Returns how many were settled. */
  async execute(): Promise<number> {
    const before = new Date(this.state.now().getTime() - this.state.timers.sweepMs);
    let settled = 0;
    for (const job of await this.queries.holdsPending(before, JOBS_MAX)) {
      try {
        await this.fund.execute(job);
        settled += 1;
      } catch (error) {
        if (error instanceof DomainError && error.kind === 'unavailable') return settled;
        throw error;
      }
    }
    return settled;
  }
}
