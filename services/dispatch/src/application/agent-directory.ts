import { DomainError } from '@daya/kernel';
import type { AgentStream } from './agent-stream';
import type { Counters } from './ports';

/** The open streams, one per node. */
export class AgentDirectory {
  private readonly byNode = new Map<string, AgentStream>();
  private closed = false;

  constructor(
    private readonly agentsMax: number,
    private readonly counters: Counters,
  ) {}

  /**
   * The newest stream of a node replaces its older one: after a broken connection that one may look open for a while.
   * Throws `exhausted` AGENTS_TOO_MANY, `unavailable` SERVER_DRAINING.
   */
  add(stream: AgentStream): void {
    if (this.closed) throw new DomainError('unavailable', 'SERVER_DRAINING', 'connect elsewhere');
    const older = this.byNode.get(stream.nodeId);
    if (older === undefined && this.byNode.size >= this.agentsMax) {
      throw new DomainError('exhausted', 'AGENTS_TOO_MANY', 'no more agents here: connect elsewhere');
    }
    older?.end(new DomainError('aborted', 'CONNECTED_AGAIN', 'this node has opened a newer stream'));
    this.byNode.set(stream.nodeId, stream);
    this.counters.agents(this.byNode.size);
  }

  remove(stream: AgentStream): void {
    if (this.byNode.get(stream.nodeId) === stream) this.byNode.delete(stream.nodeId);
    this.counters.agents(this.byNode.size);
  }

  /** The stream of a node that can be given work. */
  find(nodeId: string): AgentStream | undefined {
    const stream = this.byNode.get(nodeId);
    return stream?.isReady === true ? stream : undefined;
  }

  all(): readonly AgentStream[] {
    return [...this.byNode.values()];
  }

  /** Sends every agent elsewhere and lets no one in any more. */
  close(agentAddress: string): void {
    this.closed = true;
    for (const stream of this.byNode.values()) {
      stream.send({ kind: 'redirect', agentAddress });
      stream.end();
    }
  }
}
