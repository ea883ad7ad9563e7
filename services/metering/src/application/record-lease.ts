import type { Clock } from '@daya/kernel';
import type { Lease } from '../domain/lease';
import type { LeaseRow, Transaction } from './ports';
import type { SettleLease } from './settle-lease';

/** What the scheduler told of a lease, as far as one event says it. */
export interface LeaseNews {
  readonly terms: Omit<Lease, 'startMs' | 'expireMs' | 'endMs' | 'endHeardMs' | 'lost' | 'mscu'> & {
    readonly gpuModelId: string;
  };
  readonly startMs: number | undefined;
  readonly expireMs: number;
  readonly endMs: number | undefined;
  readonly lost: boolean;
}

/** The first witness: stores the scheduler's news of a lease and settles what they make due. Older news change nothing. */
export class RecordLease {
  constructor(
    private readonly settle: SettleLease,
    private readonly clock: Clock,
  ) {}

  async execute(tx: Transaction, { terms: { gpuModelId, ...terms }, ...news }: LeaseNews): Promise<void> {
    const [known, history] = await this.settle.lock(tx, terms.leaseId);
    const mscu = known?.mscu || (await tx.nodes.rating(terms.nodeId, gpuModelId));
    const lease: LeaseRow = {
      ...terms,
      gpuModelId,
      dueMs: known?.dueMs,
      mscu,
      startMs: news.startMs ?? known?.startMs,
      expireMs: Math.max(news.expireMs, known?.expireMs ?? 0),
      endMs: news.endMs ?? known?.endMs,
      endHeardMs: known?.endHeardMs ?? (news.endMs === undefined ? undefined : this.clock.now().getTime()),
      lost: news.lost || (known?.lost ?? false),
    };
    await tx.leases.save(lease);
    await this.settle.settle(tx, lease, history);
  }

  /** A renewal: time up to the new expiry may become billable. */
  async extend(tx: Transaction, leaseId: string, expireMs: number): Promise<void> {
    const [known, history] = await this.settle.lock(tx, leaseId);
    if (known === undefined) return;
    const lease = { ...known, expireMs: Math.max(expireMs, known.expireMs) };
    await tx.leases.save(lease);
    await this.settle.settle(tx, lease, history);
  }
}
