import { DomainError, type Caller, type Clock } from '@daya/kernel';
import { assertEmulationAllowed, assertHonestDriver } from '../domain/enrolment';
import { Fields } from '../domain/fields';
import { checkInventory, type Inventory } from '../domain/inventory';
import { assertNotRevoked, reportInventory, type Node } from '../domain/node';
import { changed } from '../domain/organisation';
import { found, requestScope } from './caller';
import type { Policy, Store, Transaction } from './ports';
import { saveAndTell, updateOffers } from './tell-node';

export interface ReportInventoryCommand {
  readonly requestId: string;
  readonly nodeId: string;
  readonly inventory: Inventory | undefined;
}

const GPU_BOUND_ELSEWHERE = 'GPU_BOUND_ELSEWHERE';

/** Wakes the work that waits for due canaries, after the commit. */
export abstract class CanaryBell {
  abstract ring(): void;
}

/**
 * Stores what an agent reports and binds its GPUs' identities to the node; other GPUs ask for a canary. A GPU of another
 * active node is refused (`already-exists` GPU_BOUND_ELSEWHERE), and the node gets no work until it reports others.
 * Idempotent by request id; the same report again changes nothing.
 */
export class ReportInventory {
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly policy: Policy,
    private readonly bell: CanaryBell,
  ) {}

  async execute(caller: Caller, command: ReportInventoryCommand): Promise<Node> {
    const inventory = await this.checked(command);
    const { requestId, nodeId } = command;
    const scope = `${requestScope(caller)}/${nodeId}`;
    try {
      const node = await this.store.transaction('system', (tx) =>
        tx.requests.once({ scope, method: 'ReportInventory', requestId, content: [nodeId, inventory] }, () =>
          this.report(tx, nodeId, inventory),
        ),
      );
      if (node.canaryDueTime !== undefined) this.bell.ring();
      return node;
    } catch (error) {
      if (error instanceof DomainError && error.reason === GPU_BOUND_ELSEWHERE) await this.markConflict(nodeId);
      throw error;
    }
  }

  private async report(tx: Transaction, nodeId: string, inventory: Inventory): Promise<Node> {
    const node = found(await tx.fleet.lockNode(nodeId), 'node', nodeId);
    assertNotRevoked(node);
    assertEmulationAllowed(node.emulated, this.policy.allowEmulatedGpus);
    assertHonestDriver(node.emulated, inventory.driverVersion);
    await tx.fleet.bindGpus(nodeId, inventory.gpus);
    const next = reportInventory(node, inventory, this.clock.now(), this.policy.canaryRetryMs);
    if (next === node) return node;
    await saveAndTell(tx, next);
    await updateOffers(tx, next);
    return next;
  }

  private async markConflict(nodeId: string): Promise<void> {
    await this.store.transaction('system', async (tx) => {
      const node = await tx.fleet.lockNode(nodeId);
      if (node && !node.gpuConflict) await saveAndTell(tx, changed(node, { gpuConflict: true }));
    });
  }

  private async checked({ requestId, nodeId, inventory }: ReportInventoryCommand): Promise<Inventory> {
    const models = await this.store.transaction('system', (tx) => tx.market.models());
    const vramMib = new Map(models.map((model) => [model.gpuModelId, model.vramMib]));
    const fields = new Fields();
    fields.requestId(requestId);
    fields.uuid('node_id', nodeId);
    if (inventory === undefined) fields.add('inventory', 'REQUIRED', 'must be set');
    else checkInventory(fields, inventory, (gpuModelId) => vramMib.get(gpuModelId));
    fields.refuse();
    if (inventory === undefined) throw new Error('an absent inventory was refused');
    return inventory;
  }
}
