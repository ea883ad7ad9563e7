import type { Clock } from '@daya/kernel';
import type { HeldLease } from '../domain/frames';
import type { AgentStream } from './agent-stream';
import type { Counters } from './ports';
import type { SchedulerDesk } from './scheduler-desk';

export interface HeldLeases {
  readonly leases: readonly HeldLease[];
  readonly draining: boolean;
  readonly agentStarted: boolean;
  /** Of the heartbeat; undefined for hello, which is not acknowledged. */
  readonly sequence: bigint | undefined;
}

/** Carries one sign of life to the scheduler; the agent hears back only what the scheduler has stored. */
export class RenewNode {
  constructor(
    private readonly desk: SchedulerDesk,
    private readonly counters: Counters,
    private readonly clock: Clock,
  ) {}

  /** False when the scheduler does not know the node yet. Throws when it does not answer: then there is no acknowledgement. */
  async execute(stream: AgentStream, held: HeldLeases): Promise<boolean> {
    const { leases, draining, agentStarted, sequence } = held;
    const renewal = await this.desk.renew({
      nodeId: stream.nodeId,
      receiveTime: this.clock.now(),
      leases,
      draining,
      agentStarted,
    });
    if (renewal === undefined) return false;
    if (sequence !== undefined) {
      stream.send({ kind: 'heartbeat-ack', sequence, renewedLeaseIds: renewal.renewedLeaseIds });
    }
    for (const stop of renewal.stops) {
      stream.send({ kind: 'stop', stop });
      this.counters.offer('stop');
    }
    return true;
  }
}
