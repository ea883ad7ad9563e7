import type { SchedulerEvent } from '../domain/events';
import type { MarketState } from './market-state';
import type { Store } from './ports';

/** Renewals in one transaction. */
const RENEWALS_MAX = 1_000;

/** Brings renewals from memory into the database and tells of them; runs at least every `renewalPersistMs`. */
export class PersistRenewals {
  constructor(
    private readonly store: Store,
    private readonly state: MarketState,
  ) {}

  async execute(): Promise<void> {
    const leases = this.state.book.toPersist();
    for (let from = 0; from < leases.length; from += RENEWALS_MAX) {
      const batch = leases
        .slice(from, from + RENEWALS_MAX)
        .map(({ leaseId, expireAtMs }) => ({ leaseId, expireTime: new Date(expireAtMs) }));
      const rangeId = this.state.rangeId;
      await this.store.transaction('system', async (tx) => {
        await tx.leases.requireRange(rangeId);
        const stored = await tx.leases.renew(batch);
        await tx.events.append(stored.map((renewal): SchedulerEvent => ({ type: 'lease-extended', ...renewal })));
      });
      for (const { leaseId, expireTime } of batch) {
        const lease = this.state.book.get(leaseId);
        if (lease) lease.storedExpireAtMs = expireTime.getTime();
      }
    }
  }
}
