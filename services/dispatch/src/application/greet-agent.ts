import { DomainError, type ErrorKind, type Timers } from '@daya/kernel';
import { commonVersion } from '../domain/agent-session';
import type { Hello } from '../domain/frames';
import type { AgentStream } from './agent-stream';
import type { DeliverOrders } from './deliver-orders';
import type { AgentBoots, Counters, Registry, StableIds } from './ports';
import type { RenewNode } from './renew-node';

/**
 * Welcomes an agent, has its inventory stored and tells the scheduler which leases it still holds; only then it gets
 * work. Registry or scheduler being down keeps nobody out: the next heartbeat tries again.
 */
export class GreetAgent {
  constructor(
    private readonly renewNode: RenewNode,
    private readonly boots: AgentBoots,
    private readonly inventory: StoreInventory,
    private readonly orders: DeliverOrders,
    private readonly timers: Timers,
  ) {}

  /** Throws `denied` EMULATION_MISMATCH when the agent's word about its GPUs is not what it was enrolled with. */
  welcome(stream: AgentStream, hello: Hello): void {
    if (hello.emulated !== stream.emulated) {
      throw new DomainError('denied', 'EMULATION_MISMATCH', 'the node was enrolled with another word about its GPUs');
    }
    stream.pendingInventory = hello.inventory;
    stream.send({
      kind: 'welcome',
      protocolVersion: commonVersion(hello.protocolVersion),
      heartbeatMs: this.timers.heartbeatMs,
      selfFenceMs: this.timers.selfFenceMs,
      nodeId: stream.nodeId,
    });
  }

  /** Everything that a heartbeat repeats until it has worked once. Throws when a peer refuses. */
  async announce(
    stream: AgentStream,
    leases: Pick<Hello, 'leases' | 'draining'>,
    sequence: bigint | undefined,
  ): Promise<void> {
    await Promise.all([this.inventory.execute(stream), this.renew(stream, leases, sequence)]);
  }

  private async renew(
    stream: AgentStream,
    held: Pick<Hello, 'leases' | 'draining'>,
    sequence: bigint | undefined,
  ): Promise<void> {
    if (stream.announced !== 'not yet')
      return void (await this.renewNode.execute(stream, { ...held, sequence, agentStarted: false }));
    stream.announced = 'under way';
    let known = false;
    try {
      const { nodeId, session } = stream;
      const agentStarted = (await this.boots.bootOf(nodeId)) !== session.bootId;
      known = await this.renewNode.execute(stream, { ...held, sequence, agentStarted });
      if (known && agentStarted) await this.boots.remember(nodeId, session.bootId);
    } finally {
      stream.announced = known ? 'done' : 'not yet';
    }
    if (known) await this.orders.afterReturn(stream.nodeId);
  }
}

/**
 * Refusals that repeating does not change. A GPU that is bound elsewhere is none: the node gets no new work, but what runs
 * there runs on, and the other node may let go.
 */
const FINAL: ReadonlySet<ErrorKind> = new Set(['invalid', 'denied', 'unauthenticated', 'precondition', 'not-found']);

/** Stores an agent's inventory in registry, once for each life of the agent and content. */
export class StoreInventory {
  constructor(
    private readonly registry: Registry,
    private readonly stableIds: StableIds,
    private readonly counters: Counters,
  ) {}

  async execute(stream: AgentStream): Promise<void> {
    const inventory = stream.pendingInventory;
    if (inventory === undefined) return;
    stream.pendingInventory = undefined;
    try {
      const requestId = this.stableIds.of('inventory', stream.nodeId, stream.session.bootId, inventory);
      await this.registry.reportInventory(requestId, stream.nodeId, inventory);
    } catch (error) {
      this.counters.failed('inventory', error);
      if (error instanceof DomainError && FINAL.has(error.kind)) return stream.end(error);
      stream.pendingInventory = inventory;
    }
  }
}
