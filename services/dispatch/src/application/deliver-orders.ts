import type { Clock } from '@daya/kernel';
import type { MissedOffers } from '../domain/missed-offers';
import type { AgentDirectory } from './agent-directory';
import type { Counters, LeasePermits } from './ports';
import type { LeaseOrder, SchedulerDesk } from './scheduler-desk';

/**
 * Hands what the scheduler has to say about leases to the agents that hold them. An agent that is not connected gets its
 * offers when it comes back in time, else the scheduler rings again or places the task elsewhere. Safe to repeat: agents
 * know an offer by its lease.
 */
export class DeliverOrders {
  constructor(
    private readonly desk: SchedulerDesk,
    private readonly directory: AgentDirectory,
    private readonly permits: LeasePermits,
    private readonly missed: MissedOffers,
    private readonly counters: Counters,
    private readonly clock: Clock,
  ) {}

  /** Throws `unavailable` when the scheduler does not answer; leases that were delivered until then stay delivered. */
  async execute(leaseIds: readonly string[]): Promise<void> {
    const results = await Promise.allSettled(
      leaseIds.map(async (leaseId) => this.deliver(await this.desk.order(leaseId))),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** What an agent missed while it was away. */
  async afterReturn(nodeId: string): Promise<void> {
    await this.execute(this.missed.take(nodeId, this.clock.now().getTime()));
  }

  private async deliver({ offer, stop }: LeaseOrder): Promise<void> {
    if (offer !== undefined) {
      const { nodeId, leaseId } = offer.offer;
      if (this.directory.find(nodeId) === undefined) {
        this.missed.add(nodeId, leaseId, this.clock.now().getTime());
        this.counters.offer('missed');
        return;
      }
      // Begun before the offer: the agent may ask for the image at once, and whoever looks for a permit waits for it.
      const kept = this.permits.keep(offer.permit);
      this.directory.find(nodeId)?.send({ kind: 'offer', offer: offer.offer });
      this.counters.offer('sent');
      await kept;
    }
    if (stop !== undefined) {
      this.directory.find(stop.nodeId)?.send({ kind: 'stop', stop });
      this.counters.offer('stop');
    }
  }
}
